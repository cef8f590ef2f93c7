#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/address.hpp"

namespace strowger::io {

/// Header fields in order; names compare without case (RFC 9110 section 5.1).
struct HttpHeaders {
    std::vector<std::pair<std::string, std::string>> fields;

    std::string_view get(std::string_view name) const;  ///< the first of that name, or empty
    void add(std::string name, std::string value);      ///< line ends in the value become blanks
    void set(std::string name, std::string value);      ///< replaces all of that name
    bool has_token(std::string_view name, std::string_view token) const;  ///< in a comma list
};

struct HttpRequest {
    std::string method = "GET";
    std::string target;  ///< as sent: "/a%20b?x=1"
    std::string path;    ///< decoded: "/a b"
    std::string query;   ///< "x=1", still encoded
    HttpHeaders headers;
    std::string body;
    SocketAddress remote;   ///< who asks
    bool secure = false;    ///< over TLS
    bool trailers = false;  ///< its answer may have some (HTTP/2)

    /// The value of a query (or form) parameter, decoded; empty when absent.
    std::string parameter(std::string_view name) const;
};

struct HttpResponse {
    int status = 200;
    HttpHeaders headers;
    std::string body;
    HttpHeaders trailers = {};  ///< fields behind the body, where the request takes them

    static HttpResponse text(int status, std::string body);  ///< text/plain; charset=utf-8
    static HttpResponse json(int status, std::string body);
    static HttpResponse of(int status, std::string content_type, std::string body);
};

std::string_view http_reason(int status);  ///< "Not Found"

/// Percent-decoding; with `plus`, '+' is a blank (forms). Malformed escapes stay as they are.
std::string percent_decode(std::string_view text, bool plus = false);
/// Escapes all but RFC 3986 unreserved characters.
std::string percent_encode(std::string_view text);

/// The pieces of an http, https, ws or wss URL.
struct HttpUrl {
    bool secure = false;
    std::string host;  ///< IPv6 without brackets
    std::uint16_t port = 80;
    std::string target;  ///< path and query, at least "/"
};
std::optional<HttpUrl> parse_http_url(std::string_view url);

}  // namespace strowger::io
