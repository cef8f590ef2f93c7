#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "base/task.hpp"
#include "io/dns.hpp"
#include "io/http.hpp"
#include "io/tls.hpp"

namespace strowger::io {

/// An HTTP/1.1 client for web hooks, gateways and health checks: one request, one connection.
class HttpClient {
public:
    struct Options {
        std::size_t max_header = 64 << 10;
        std::size_t max_body = 16 << 20;              ///< of an answer; beyond it the request fails
        Duration timeout = std::chrono::seconds{30};  ///< from name resolution to the last byte
        std::shared_ptr<TlsContext> tls = {};  ///< for https; without one the system's roots count
    };
    struct Request {
        std::string method = "GET";
        std::string url;
        HttpHeaders headers = {};
        std::string body = {};
        /// Gets the body of a 200 piece by piece as it comes; the answer's own is then empty.
        std::function<void(std::string_view)> on_body = {};
    };

    /// Names are looked up with `resolver`, which must outlive the client.
    HttpClient(Loop& loop, Resolver& resolver, Options options);

    /// Any status is a success; an error means that no whole answer came. No redirects are
    /// followed.
    Task<Result<HttpResponse>> fetch(Request request);

private:
    Loop& loop_;
    Resolver& resolver_;
    Options options_;
};

}  // namespace strowger::io
