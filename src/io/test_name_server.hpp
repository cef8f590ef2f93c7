#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "io/udp.hpp"

namespace strowger::io {

/// The wire format of records, for the zones of tests (RFC 1035 section 3).
inline std::string be16(unsigned v) { return {static_cast<char>(v >> 8), static_cast<char>(v)}; }
inline std::string be32(unsigned v) { return be16(v >> 16) + be16(v & 0xffff); }
inline std::string text_field(std::string_view text) {
    return static_cast<char>(text.size()) + std::string(text);
}
inline std::string name_field(std::string_view name) {
    std::string wire;
    for (const auto label : split(name, '.'))
        if (!label.empty()) wire += text_field(label);
    return wire + '\0';
}

/// A name server on loopback that knows a few records.
struct NameServer {
    struct Record {
        int type;
        unsigned ttl;
        std::string data;
    };
    std::multimap<std::string, Record> zone;
    std::unique_ptr<UdpSocket> socket;
    int questions = 0;
    bool silent = false;

    explicit NameServer(Loop& loop) {
        socket = UdpSocket::bind(loop, {IpAddress::v4({127, 0, 0, 1}), 0}, {},
                                 [this](std::span<const UdpSocket::Datagram> batch) {
                                     for (const auto& d : batch) answer(d);
                                 })
                     .value();
    }

    void answer(const UdpSocket::Datagram& query) {
        ++questions;
        if (silent) return;
        const auto text = as_text(query.bytes);
        std::string name;
        std::size_t at = 12;
        while (at < text.size() && text[at] != 0) {
            const auto length = static_cast<std::size_t>(text[at]);
            if (!name.empty()) name += '.';
            name += to_lower(text.substr(at + 1, length));
            at += length + 1;
        }
        const auto question = text.substr(12, at + 5 - 12);
        const int type = load16(query.bytes, at + 1);
        std::string answers;
        unsigned count = 0;
        const auto [first, last] = zone.equal_range(name);
        for (auto entry = first; entry != last; ++entry) {
            if (entry->second.type != type) continue;
            ++count;
            answers += "\xc0\x0c" + be16(static_cast<unsigned>(type)) + be16(1) +
                       be32(entry->second.ttl) +
                       be16(static_cast<unsigned>(entry->second.data.size())) + entry->second.data;
        }
        const unsigned rcode = first == last ? 3 : 0;  // NXDOMAIN
        const auto reply = std::string(text.substr(0, 2)) + be16(0x8180 | rcode) + be16(1) +
                           be16(count) + be16(0) + be16(0) + std::string(question) + answers;
        socket->send(query.remote, as_bytes(reply), query.local.ip);
    }
};

}  // namespace strowger::io
