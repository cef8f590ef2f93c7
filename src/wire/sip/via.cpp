#include "wire/sip/via.hpp"

#include <array>
#include <charconv>
#include <utility>

#include "base/text.hpp"
#include "wire/sip/syntax.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::sip {

namespace {

/// A token and the white space after it, off the front of the text.
std::string_view take_token(std::string_view& text) {
    std::size_t end = 0;
    while (end < text.size() && syntax::is_token(text[end])) ++end;
    const auto token = text.substr(0, end);
    text.remove_prefix(syntax::skip_lws(text, end));
    return token;
}

bool take_slash(std::string_view& text) {
    if (!text.starts_with('/')) return false;
    text.remove_prefix(syntax::skip_lws(text, 1));
    return true;
}

}  // namespace

Result<Via> Via::parse(std::string_view value) {
    auto rest = syntax::trim_lws(value);
    const auto wrong = [&](std::string_view expected) {
        return fail_with(400, "Via '{}': expected {} at '{}'", syntax::excerpt(value), expected,
                         syntax::excerpt(rest));
    };
    Via via;
    if (!iequals(take_token(rest), "SIP") || !take_slash(rest)) return wrong("SIP/2.0");
    if (take_token(rest) != "2.0" || !take_slash(rest)) return wrong("SIP/2.0");
    via.transport = take_token(rest);
    if (via.transport.empty()) return wrong("a transport");
    const auto host = syntax::host_length(rest);
    if (host == 0) return wrong("a host");
    via.host = rest.substr(0, host);
    rest.remove_prefix(syntax::skip_lws(rest, host));
    if (rest.starts_with(':')) {
        rest.remove_prefix(syntax::skip_lws(rest, 1));
        std::size_t end = 0;
        while (end < rest.size() && is_digit(rest[end])) ++end;
        via.port = parse_number<std::uint16_t>(rest.substr(0, end));
        if (!via.port) return wrong("a port");
        rest.remove_prefix(syntax::skip_lws(rest, end));
    }
    via.parameters = rest;
    while (const auto parameter = syntax::take_parameter(rest)) {
        if (iequals(parameter->name, "branch"))
            via.branch = parameter->value;
        else if (iequals(parameter->name, "rport"))
            via.wants_rport = true;
    }
    if (!rest.empty()) return wrong("parameters");
    return via;
}

std::optional<std::string_view> Via::parameter(std::string_view name) const {
    return find_parameter(parameters, name);
}

std::optional<IpAddress> Via::received() const {
    const auto value = parameter("received");
    return value ? IpAddress::parse(*value) : std::nullopt;
}

std::optional<std::uint16_t> Via::rport() const {
    const auto value = parameter("rport");
    return value ? parse_number<std::uint16_t>(*value) : std::nullopt;
}

std::optional<std::string_view> Via::maddr() const { return parameter("maddr"); }

std::optional<Transport> Via::known_transport() const {
    for (const auto known :
         {Transport::udp, Transport::tcp, Transport::tls, Transport::ws, Transport::wss})
        if (iequals(transport, via_name(known))) return known;
    return std::nullopt;
}

void append_received(std::string& out, std::string_view via, const SocketAddress& source) {
    const auto end = syntax::value_end(via);
    const auto top = Via::parse(via.substr(0, end));
    if (!top) {
        out += via;
        return;
    }
    append_received(out, via, *top, source, top->wants_rport);
    out += via.substr(end);
}

void append_received(std::string& out, std::string_view value, const Via& via,
                     const SocketAddress& source, bool with_rport) {
    out += value.substr(0, static_cast<std::size_t>(via.parameters.data() - value.data()));
    while (!out.empty() && syntax::is_lws(out.back())) out.pop_back();
    std::array<char, 5> digits;
    const auto port = std::string_view(
        digits.begin(), std::to_chars(digits.begin(), digits.end(), source.port).ptr);
    bool told_port = false;
    auto rest = via.parameters;
    while (const auto parameter = syntax::take_parameter(rest)) {
        if (iequals(parameter->name, "received")) continue;
        if (iequals(parameter->name, "rport")) {
            if (!std::exchange(told_port, true)) (out += ";rport=") += port;
            continue;
        }
        (out += ';') += parameter->name;
        if (parameter->quoted)
            ((out += "=\"") += parameter->value) += '"';
        else if (!parameter->value.empty())
            (out += '=') += parameter->value;
    }
    if (with_rport && !told_port) (out += ";rport=") += port;
    if (with_rport || IpAddress::parse(via.host) != source.ip)
        (out += ";received=") += source.ip.text();
}

}  // namespace strowger::sip
