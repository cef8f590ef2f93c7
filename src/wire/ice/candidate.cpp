#include "wire/ice/candidate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/bytes.hpp"
#include "base/text.hpp"
#include "wire/ice/credentials.hpp"
#include "wire/stun/fingerprint.hpp"

namespace strowger::ice {
namespace {

constexpr unsigned max_component = 256;
constexpr std::size_t max_host_name = 253;  // of the DNS

unsigned preference_of(Candidate::Type type) {
    switch (type) {
        case Candidate::Type::host: return 126;
        case Candidate::Type::peer_reflexive: return 110;
        case Candidate::Type::server_reflexive: return 100;
        case Candidate::Type::relayed: return 0;
    }
    return 0;
}

/// The same for candidates of one type, base address and server, which is all that a foundation
/// says (section 5.1.1.3).
std::string foundation_of(Candidate::Type type, const IpAddress& base, const IpAddress* server) {
    std::string key(text_of(type));
    key.append(reinterpret_cast<const char*>(base.data()), base.size());
    if (server) key.append(reinterpret_cast<const char*>(server->data()), server->size());
    return fmt::format("{}", stun::crc32(as_bytes(key)));
}

std::optional<Candidate::Type> type_from(std::string_view text) {
    for (const auto type : {Candidate::Type::host, Candidate::Type::server_reflexive,
                            Candidate::Type::peer_reflexive, Candidate::Type::relayed}) {
        if (iequals(text, text_of(type))) return type;
    }
    return std::nullopt;
}

bool is_host_name(std::string_view text) {
    const auto is_letter = [](char c) { return lower(c) >= 'a' && lower(c) <= 'z'; };
    const auto is_allowed = [&](char c) {
        return is_letter(c) || is_digit(c) || c == '-' || c == '.';
    };
    // A name without letters would be an address that is not one.
    return text.size() <= max_host_name && std::all_of(text.begin(), text.end(), is_allowed) &&
           std::any_of(text.begin(), text.end(), is_letter);
}

/// The words of a line, one after the other.
class Words {
public:
    explicit Words(std::string_view line) : rest_(trim(line)) {}
    bool empty() const { return rest_.empty(); }
    std::string_view next() {
        const auto end = std::min(rest_.find(' '), rest_.size());
        const auto word = rest_.substr(0, end);
        rest_.remove_prefix(std::min(rest_.find_first_not_of(' ', end), rest_.size()));
        return word;
    }

private:
    std::string_view rest_;
};

Result<> read_foundation(std::string_view word, Candidate& candidate) {
    if (word.empty() || word.size() > Candidate::max_foundation ||
        !std::all_of(word.begin(), word.end(), is_ice_char)) {
        return fail("candidate: '{}' is no foundation of 1 to 32 letters and digits", word);
    }
    candidate.foundation = word;
    return {};
}

Result<> read_component(std::string_view word, Candidate& candidate) {
    const auto number = parse_number<unsigned>(word);
    if (!number || *number < 1 || *number > max_component) {
        return fail("candidate: component '{}'; expected 1 to {}", word, max_component);
    }
    candidate.component = static_cast<std::uint16_t>(*number);
    return {};
}

Result<> read_transport(std::string_view word, Candidate& candidate) {
    if (iequals(word, "udp")) return {};
    if (!iequals(word, "tcp"))
        return fail("candidate: transport '{}' is neither UDP nor TCP", word);
    candidate.transport = Candidate::Transport::tcp;
    return {};
}

Result<> read_priority(std::string_view word, Candidate& candidate) {
    const auto number = parse_number<std::uint32_t>(word);
    if (!number) return fail("candidate: priority '{}' is no number of 32 bits", word);
    candidate.priority = *number;
    return {};
}

Result<> read_address(std::string_view word, Candidate& candidate) {
    if (const auto ip = IpAddress::parse(word)) {
        candidate.address.ip = *ip;
    } else if (is_host_name(word)) {
        candidate.host_name = word;
    } else {
        return fail("candidate: '{}' is neither an address nor a name", word);
    }
    return {};
}

Result<> read_port(std::string_view word, Candidate& candidate) {
    const auto number = parse_number<std::uint16_t>(word);
    if (!number) return fail("candidate: port '{}'; expected 0 to 65535", word);
    candidate.address.port = *number;
    return {};
}

Result<> read_type(std::string_view label, std::string_view word, Candidate& candidate) {
    if (!iequals(label, "typ")) return fail("candidate: '{}' where 'typ' should stand", label);
    const auto type = type_from(word);
    if (!type) return fail("candidate: unknown type '{}'", word);
    candidate.type = *type;
    return {};
}

/// What follows the type. An raddr that is no address, and what else is there twice, stays among
/// the extensions.
void read_rest(Words words, Candidate& candidate) {
    bool port_follows = false;
    while (!words.empty()) {
        const auto name = words.next();
        const auto value = words.next();
        const auto ip =
            name == "raddr" && !candidate.related ? IpAddress::parse(value) : std::nullopt;
        const auto port =
            name == "rport" && port_follows ? parse_number<std::uint16_t>(value) : std::nullopt;
        if (ip) {
            candidate.related = SocketAddress{*ip, 0};
        } else if (port) {
            candidate.related->port = *port;
        } else {
            candidate.extensions.emplace_back(name, value);
        }
        port_follows = ip.has_value();
    }
}

}  // namespace

std::string_view text_of(Candidate::Type type) {
    switch (type) {
        case Candidate::Type::host: return "host";
        case Candidate::Type::server_reflexive: return "srflx";
        case Candidate::Type::peer_reflexive: return "prflx";
        case Candidate::Type::relayed: return "relay";
    }
    return "";
}

std::uint32_t priority_of(Candidate::Type type, std::uint16_t preference, std::uint16_t component) {
    return preference_of(type) << 24 | std::uint32_t{preference} << 8 | (256u - component);
}

std::uint32_t peer_reflexive_priority(std::uint32_t priority) {
    return preference_of(Candidate::Type::peer_reflexive) << 24 | (priority & 0x00ffffff);
}

std::uint64_t pair_priority(std::uint32_t controlling, std::uint32_t controlled) {
    return (std::uint64_t{std::min(controlling, controlled)} << 32) +
           2 * std::uint64_t{std::max(controlling, controlled)} + (controlling > controlled);
}

Candidate Candidate::host(const SocketAddress& address, std::uint16_t component,
                          std::uint16_t preference) {
    Candidate candidate;
    candidate.foundation = foundation_of(Type::host, address.ip, nullptr);
    candidate.component = component;
    candidate.priority = priority_of(Type::host, preference, component);
    candidate.address = address;
    return candidate;
}

Candidate Candidate::server_reflexive(const SocketAddress& seen, const Candidate& base,
                                      const IpAddress& server) {
    Candidate candidate;
    candidate.type = Type::server_reflexive;
    candidate.foundation = foundation_of(candidate.type, base.address.ip, &server);
    candidate.component = base.component;
    const auto preference = static_cast<std::uint16_t>(base.priority >> 8);
    candidate.priority = priority_of(candidate.type, preference, base.component);
    candidate.address = seen;
    candidate.related = base.address;
    return candidate;
}

Result<Candidate> Candidate::parse(std::string_view line) {
    if (line.size() > max_text) {
        return fail("candidate of {} characters; at most {} are read", line.size(), max_text);
    }
    if (std::any_of(line.begin(), line.end(), [](char c) { return c >= 0 && c < ' '; })) {
        return fail("candidate with control characters");
    }
    for (const std::string_view prefix : {"a=", "candidate:"}) {
        if (istarts_with(line, prefix)) line.remove_prefix(prefix.size());
    }
    Words words(line);
    Candidate candidate;
    using Reader = Result<> (*)(std::string_view, Candidate&);
    for (const Reader read : {&read_foundation, &read_component, &read_transport, &read_priority,
                              &read_address, &read_port}) {
        if (auto right = read(words.next(), candidate); !right) {
            return std::unexpected(right.error());
        }
    }
    const auto label = words.next();
    if (auto right = read_type(label, words.next(), candidate); !right) {
        return std::unexpected(right.error());
    }
    read_rest(words, candidate);
    return candidate;
}

std::string Candidate::text() const {
    auto line =
        fmt::format("candidate:{} {} {} {} {} {} typ {}", foundation, component,
                    transport == Transport::udp ? "udp" : "tcp", priority,
                    resolved() ? address.ip.text() : host_name, address.port, text_of(type));
    auto out = std::back_inserter(line);
    if (related) fmt::format_to(out, " raddr {} rport {}", related->ip.text(), related->port);
    for (const auto& [name, value] : extensions) fmt::format_to(out, " {} {}", name, value);
    return line;
}

bool Candidate::is_mdns() const {
    return host_name.size() > 6 &&
           iequals(std::string_view(host_name).substr(host_name.size() - 6), ".local");
}

std::optional<std::string_view> Candidate::extension(std::string_view name) const {
    for (const auto& [key, value] : extensions) {
        if (key == name) return value;
    }
    return std::nullopt;
}

}  // namespace strowger::ice
