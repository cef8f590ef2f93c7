#include "wire/sdp/description.hpp"

#include <fmt/format.h>

#include <iterator>

namespace strowger::sdp {

namespace {

/// A value on one line: what could end the line becomes a blank.
std::string clean(std::string_view value) {
    std::string out(value);
    for (char& c : out) {
        if (c == '\r' || c == '\n' || c == '\0') c = ' ';
    }
    return out;
}

std::string connection(const IpAddress& address) {
    return fmt::format("IN {} {}", address.is_v4() ? "IP4" : "IP6", address.text());
}

class Writer {
public:
    template <typename... Args>
    void line(char type, fmt::format_string<Args...> format, Args&&... args) {
        out_ += type;
        out_ += '=';
        out_ += clean(fmt::format(format, std::forward<Args>(args)...));
        out_ += "\r\n";
    }

    void attribute(std::string_view name, std::string_view value) {
        line('a', "{}{}{}", name, value.empty() ? "" : ":", value);
    }

    void section(const MediaDescription& media) {
        std::string formats;
        for (const auto& payload : media.payloads) formats += fmt::format(" {}", payload.type);
        for (const auto& format : media.formats) formats += " " + format;
        line('m', "{} {} {}{}", media.kind, media.port, media.protocol, formats);
        if (media.address) line('c', "{}", connection(*media.address));
        if (media.port != 0) {
            for (const auto& payload : media.payloads) format_lines(payload);
            if (media.ptime) line('a', "ptime:{}", *media.ptime);
            if (media.maxptime) line('a', "maxptime:{}", *media.maxptime);
            if (media.rtcp_port) line('a', "rtcp:{}", *media.rtcp_port);
            if (media.rtcp_mux) line('a', "rtcp-mux");
        }
        if (!media.mid.empty()) line('a', "mid:{}", media.mid);
        for (const auto& [name, value] : media.attributes) attribute(name, value);
        if (media.port != 0) line('a', "{}", name_of(media.direction));
    }

    std::string take() { return std::move(out_); }

private:
    void format_lines(const Payload& payload) {
        const auto& codec = payload.codec;
        line('a', "rtpmap:{} {}/{}{}", payload.type, codec.name, codec.clock_rate,
             codec.channels > 1 ? fmt::format("/{}", codec.channels) : "");
        if (!codec.fmtp.empty()) line('a', "fmtp:{} {}", payload.type, codec.fmtp);
    }

    std::string out_;
};

}  // namespace

std::string Description::text() const {
    Writer out;
    out.line('v', "0");
    out.line('o', "{} {} {} {}", owner, session_id, session_version, connection(address));
    out.line('s', "{}", name);
    out.line('c', "{}", connection(address));
    out.line('t', "0 0");
    for (const auto& [key, value] : attributes) out.attribute(key, value);
    for (const auto& section : media) out.section(section);
    return out.take();
}

std::string DescriptionHistory::publish(Description description) {
    description.session_id = session_id_;
    if (last_) {
        description.session_version = last_->session_version;
        if (description != *last_) ++description.session_version;
    } else {
        description.session_version = session_id_;
    }
    last_ = std::move(description);
    return last_->text();
}

}  // namespace strowger::sdp
