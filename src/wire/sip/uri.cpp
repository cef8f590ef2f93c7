#include "wire/sip/uri.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "wire/sip/syntax.hpp"

namespace strowger::sip {

namespace {

using syntax::npos;

// Section 25.1 `user` and `password`; what is not in them must be escaped. Characters above ASCII
// are let through: phones send raw UTF-8 user names, and no delimiter hides in them.
constexpr auto user_characters = syntax::characters("-_.!~*'()&=+$,;?/%#");
constexpr auto unreserved_characters = syntax::characters("-_.!~*'()");

constexpr bool is_user(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || user_characters[byte];
}

constexpr bool is_uri_tail(char c) {
    return !syntax::is_lws(c) && !syntax::is_control(c) && c != '<' && c != '>' && c != '"';
}

bool too_many(std::string_view text, char separator) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), separator)) >
           Uri::max_parameters;
}

/// The predicate is a template argument so that it is inlined: this runs over most of a message.
template <bool (*predicate)(char)>
bool all_of(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return predicate(c); });
}

Result<Uri> parse_tel(Uri uri, std::string_view rest, std::string_view text) {
    const auto end = std::min(rest.find(';'), rest.size());
    uri.user = rest.substr(0, end);
    uri.parameters = rest.substr(end);
    const auto is_phone_digit = [](char c) {
        return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f') ||
               std::string_view{"+*#-.()"}.find(c) != npos;
    };
    if (uri.user.empty() || !std::all_of(uri.user.begin(), uri.user.end(), is_phone_digit))
        return fail_with(400, "'{}': expected a telephone number after 'tel:'",
                         syntax::excerpt(text));
    if (!all_of<is_uri_tail>(uri.parameters) || !syntax::are_parameters(uri.parameters))
        return fail_with(400, "'{}': malformed parameters", syntax::excerpt(text));
    if (too_many(uri.parameters, ';'))
        return fail_with(400, "'{}': too many parameters", syntax::excerpt(text));
    return uri;
}

}  // namespace

Result<Uri> Uri::parse(std::string_view text) {
    const auto wrong = [&](std::string_view what) {
        return fail_with(400, "URI '{}': {}", syntax::excerpt(text), what);
    };
    Uri uri;
    const auto colon = text.find(':');
    if (colon == npos) return wrong("has no scheme");
    uri.scheme = text.substr(0, colon);
    auto rest = text.substr(colon + 1);
    if (iequals(uri.scheme, "tel")) return parse_tel(uri, rest, text);
    if (!iequals(uri.scheme, "sip") && !iequals(uri.scheme, "sips"))
        return fail_with(416, "URI '{}': expected sip, sips or tel", syntax::excerpt(text));

    // The user part may hold ; ? and / unescaped, but no @: so the first @, if any, ends it.
    if (const auto at = rest.find('@'); at != npos) {
        const auto info = rest.substr(0, at);
        const auto secret = info.find(':');
        uri.user = info.substr(0, secret);
        if (secret != npos) uri.password = info.substr(secret + 1);
        if (uri.user.empty()) return wrong("has nothing before '@'");
        if (!all_of<is_user>(uri.user) || !all_of<is_user>(uri.password))
            return wrong("unescaped character in the user part");
        rest.remove_prefix(at + 1);
    }
    const auto host = syntax::host_length(rest);
    if (host == 0) return wrong("expected a host");
    uri.host = rest.substr(0, host);
    rest.remove_prefix(host);
    if (rest.starts_with(':')) {
        const auto end = std::min(rest.find_first_of(";?"), rest.size());
        uri.port = parse_number<std::uint16_t>(rest.substr(1, end - 1));
        if (!uri.port) return wrong("expected a port from 0 to 65535 after the host");
        rest.remove_prefix(end);
    }
    if (!all_of<is_uri_tail>(rest)) return wrong("unescaped character after the host");
    if (const auto question = rest.find('?'); question != npos) {
        uri.headers = rest.substr(question + 1);
        rest = rest.substr(0, question);
    }
    if (!rest.empty() && !rest.starts_with(';')) return wrong("expected ';' or '?' after the host");
    uri.parameters = rest;
    if (too_many(uri.parameters, ';') || too_many(uri.headers, '&'))
        return wrong("too many parameters or headers");
    return uri;
}

bool Uri::is_secure() const { return iequals(scheme, "sips"); }

std::optional<std::string_view> Uri::parameter(std::string_view name) const {
    return find_parameter(parameters, name);
}

std::string Uri::text() const {
    std::string out;
    out.reserve(scheme.size() + user.size() + password.size() + host.size() + parameters.size() +
                headers.size() + 10);
    (out += scheme) += ':';
    out += user;
    if (!password.empty()) (out += ':') += password;
    if (!user.empty() && !host.empty()) out += '@';
    out += host;
    if (port) (out += ':') += std::to_string(*port);
    out += parameters;
    if (!headers.empty()) (out += '?') += headers;
    return out;
}

namespace {

int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    const char l = lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/// The character of the escape at `at`, or -1 when "%" there begins none.
int escape_at(std::string_view text, std::size_t at) {
    if (text[at] != '%' || at + 2 >= text.size()) return -1;
    const int high = hex_value(text[at + 1]);
    const int low = hex_value(text[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/// Section 19.1.4: an escape equals its character unless that is reserved (or a delimiter, or has
/// no unescaped form at all).
bool equals_its_escape(int c) { return unreserved_characters[static_cast<unsigned char>(c)]; }

/// Spelled one way: needless escapes resolved, the others in upper case.
std::string normal(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const int escaped = escape_at(text, at);
        if (escaped < 0) {
            out += text[at];
        } else if (equals_its_escape(escaped)) {
            out += static_cast<char>(escaped);
            at += 2;
        } else {
            out += to_upper(text.substr(at, 3));
            at += 2;
        }
    }
    return out;
}

bool same(std::string_view a, std::string_view b) { return iequals(normal(a), normal(b)); }

/// Parameters that count even when only one URI has them. Transport is not in the list of section
/// 19.1.4, but its examples say that it counts.
bool always_counts(std::string_view name) {
    for (const auto known : {"user", "ttl", "method", "maddr", "transport"})
        if (iequals(name, known)) return true;
    return false;
}

bool parameters_agree(const Uri& a, const Uri& b) {
    auto rest = a.parameters;
    while (const auto parameter = syntax::take_parameter(rest)) {
        // Of a parameter that stands twice the first counts.
        const auto value = a.parameter(parameter->name).value_or(std::string_view{});
        const auto other = b.parameter(parameter->name);
        if (other ? !same(value, *other) : always_counts(parameter->name)) return false;
    }
    return true;
}

bool headers_contain(std::string_view all, std::string_view some) {
    for (const auto header : split(some, '&')) {
        const auto [name, value] = split_once(header, '=');
        bool found = false;
        for (const auto candidate : split(all, '&')) {
            const auto [other_name, other_value] = split_once(candidate, '=');
            found = found || (same(name, other_name) && normal(value) == normal(other_value));
        }
        if (!found) return false;
    }
    return true;
}

/// RFC 3966 section 4: visual separators do not count.
std::string bare_number(std::string_view number) {
    std::string out;
    for (const char c : number)
        if (std::string_view{"-.()"}.find(c) == npos) out += lower(c);
    return out;
}

}  // namespace

bool equivalent(const Uri& a, const Uri& b) {
    if (!iequals(a.scheme, b.scheme)) return false;
    if (iequals(a.scheme, "tel")) {
        if (bare_number(a.user) != bare_number(b.user)) return false;
        const auto covered = [](const Uri& x, const Uri& y) {
            auto rest = x.parameters;
            while (const auto parameter = syntax::take_parameter(rest)) {
                const auto value = x.parameter(parameter->name).value_or(std::string_view{});
                const auto other = y.parameter(parameter->name);
                if (!other || !same(value, *other)) return false;
            }
            return true;
        };
        return covered(a, b) && covered(b, a);
    }
    return normal(a.user) == normal(b.user) && normal(a.password) == normal(b.password) &&
           same(a.host, b.host) && a.port == b.port && parameters_agree(a, b) &&
           parameters_agree(b, a) && headers_contain(a.headers, b.headers) &&
           headers_contain(b.headers, a.headers);
}

std::string unescape(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        const int escaped = escape_at(text, at);
        out += escaped < 0 ? text[at] : static_cast<char>(escaped);
        if (escaped >= 0) at += 2;
    }
    return out;
}

std::string escape_user(std::string_view text) {
    static constexpr auto plain = syntax::characters("-_.!~*'()&=+$,;?/");
    static constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (plain[byte])
            out += c;
        else
            ((out += '%') += digits[byte >> 4]) += digits[byte & 15];
    }
    return out;
}

Result<NameAddress> NameAddress::parse(std::string_view text) {
    const auto value = syntax::trim_lws(text);
    const auto wrong = [&](std::string_view what) {
        return fail_with(400, "address '{}': {}", syntax::excerpt(value), what);
    };
    NameAddress address;
    std::size_t at = 0;
    if (value.starts_with('"')) {
        at = syntax::skip_quoted(value, 0);
        if (at == npos) return wrong("the quoted display name does not end");
        address.display_name = value.substr(1, at - 2);
        at = syntax::skip_lws(value, at);
        if (at == value.size() || value[at] != '<')
            return wrong("expected '<' after the display name");
    } else if (const auto bracket = value.find('<');
               bracket != npos && bracket < value.find_first_of(":;\"")) {
        address.display_name = syntax::trim_lws(value.substr(0, bracket));
        for (const char c : address.display_name) {
            // Tokens and white space; raw UTF-8 is let through, as everybody sends it.
            if (!syntax::is_token(c) && !syntax::is_lws(c) && static_cast<unsigned char>(c) < 0x80)
                return wrong("a display name that is not of tokens must be quoted");
        }
        at = bracket;
    }
    if (at < value.size() && value[at] == '<') {
        const auto close = value.find('>', at);
        if (close == npos) return wrong("'<' without '>'");
        address.uri = value.substr(at + 1, close - at - 1);
        at = close + 1;
    } else {
        const auto end = std::min(value.find(';'), value.size());
        address.uri = syntax::trim_lws(value.substr(0, end));
        if (address.uri.find_first_of("?,") != npos)
            return wrong("a URI with '?' or ',' must stand between '<' and '>'");
        at = end;
    }
    if (address.uri.find(':') == npos || !all_of<is_uri_tail>(address.uri))
        return wrong("expected a URI");
    address.parameters = value.substr(at);
    if (!syntax::are_parameters(address.parameters)) return wrong("malformed parameters");
    return address;
}

std::optional<std::string_view> NameAddress::parameter(std::string_view name) const {
    return find_parameter(parameters, name);
}

std::string NameAddress::display_text() const {
    std::string out;
    out.reserve(display_name.size());
    for (std::size_t at = 0; at < display_name.size(); ++at) {
        if (display_name[at] == '\\' && at + 1 < display_name.size()) ++at;
        out += display_name[at];
    }
    return out;
}

std::optional<std::string_view> find_parameter(std::string_view parameters, std::string_view name) {
    while (const auto parameter = syntax::take_parameter(parameters))
        if (iequals(parameter->name, name)) return parameter->value;
    return std::nullopt;
}

}  // namespace strowger::sip
