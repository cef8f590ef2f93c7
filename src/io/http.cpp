#include "io/http.hpp"

#include <boost/beast/http/status.hpp>

#include "base/text.hpp"

namespace strowger::io {

namespace {

int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// A line end in a value would let it forge fields (RFC 9112 section 5, RFC 9110 section 5.5).
std::string one_line(std::string value) {
    for (auto& c : value)
        if (c == '\r' || c == '\n' || c == '\0') c = ' ';
    return value;
}

}  // namespace

std::string_view HttpHeaders::get(std::string_view name) const {
    for (const auto& [key, value] : fields)
        if (iequals(key, name)) return value;
    return {};
}

void HttpHeaders::add(std::string name, std::string value) {
    fields.emplace_back(one_line(std::move(name)), one_line(std::move(value)));
}

void HttpHeaders::set(std::string name, std::string value) {
    std::erase_if(fields, [&](const auto& field) { return iequals(field.first, name); });
    add(std::move(name), std::move(value));
}

bool HttpHeaders::has_token(std::string_view name, std::string_view token) const {
    for (const auto& [key, value] : fields) {
        if (!iequals(key, name)) continue;
        for (const auto part : split(value, ','))
            if (iequals(trim(part), token)) return true;
    }
    return false;
}

std::string HttpRequest::parameter(std::string_view name) const {
    std::string_view form;
    if (istarts_with(headers.get("Content-Type"), "application/x-www-form-urlencoded")) form = body;
    for (const auto text : {std::string_view(query), form}) {
        for (const auto pair : split(text, '&')) {
            const auto [key, value] = split_once(pair, '=');
            if (percent_decode(key, true) == name) return percent_decode(value, true);
        }
    }
    return {};
}

HttpResponse HttpResponse::of(int status, std::string content_type, std::string body) {
    HttpResponse response;
    response.status = status;
    response.headers.add("Content-Type", std::move(content_type));
    response.body = std::move(body);
    return response;
}

HttpResponse HttpResponse::text(int status, std::string body) {
    return of(status, "text/plain; charset=utf-8", std::move(body));
}

HttpResponse HttpResponse::json(int status, std::string body) {
    return of(status, "application/json", std::move(body));
}

std::string_view http_reason(int status) {
    const auto reason =
        boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
    return {reason.data(), reason.size()};
}

std::string percent_decode(std::string_view text, bool plus) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
            if (high >= 0 && low >= 0) {
                out += static_cast<char>(high << 4 | low);
                i += 2;
                continue;
            }
        }
        out += plus && text[i] == '+' ? ' ' : text[i];
    }
    return out;
}

std::string percent_encode(std::string_view text) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '.' ||
            c == '_' || c == '~') {
            out += c;
        } else {
            out += '%';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    return out;
}

std::optional<HttpUrl> parse_http_url(std::string_view url) {
    HttpUrl parts;
    const auto scheme_end = url.find("://");
    if (scheme_end == std::string_view::npos) return std::nullopt;
    const auto scheme = url.substr(0, scheme_end);
    parts.secure = iequals(scheme, "https") || iequals(scheme, "wss");
    if (!parts.secure && !iequals(scheme, "http") && !iequals(scheme, "ws")) return std::nullopt;
    parts.port = parts.secure ? 443 : 80;
    auto rest = url.substr(scheme_end + 3);
    rest = rest.substr(0, rest.find('#'));
    const auto authority_end = std::min(rest.find_first_of("/?"), rest.size());
    auto authority = rest.substr(0, authority_end);
    parts.target = rest.substr(authority_end);
    if (!parts.target.starts_with('/')) parts.target.insert(0, "/");
    for (const char c : url)
        if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) return std::nullopt;
    if (authority.find('@') != std::string_view::npos)
        return std::nullopt;  // RFC 9110 section 4.2.4
    if (authority.starts_with('[')) {
        const auto close = authority.find(']');
        if (close == std::string_view::npos) return std::nullopt;
        parts.host = authority.substr(1, close - 1);
        authority.remove_prefix(close + 1);
        if (!authority.empty() && authority.front() != ':') return std::nullopt;
    } else {
        const auto colon = std::min(authority.find(':'), authority.size());
        parts.host = authority.substr(0, colon);
        authority.remove_prefix(colon);
    }
    if (parts.host.empty()) return std::nullopt;
    if (authority.size() > 1) {
        const auto port = parse_number<std::uint16_t>(authority.substr(1));
        if (!port) return std::nullopt;
        parts.port = *port;
    }
    return parts;
}

}  // namespace strowger::io
