#pragma once

#include <functional>
#include <memory>

#include "base/bytes.hpp"
#include "io/http.hpp"
#include "io/loop.hpp"

namespace strowger::io {

/// The server's end of one HTTP/2 connection (RFC 9113, by nghttp2): requests come whole, several
/// at once, and are answered in any order. Server push and priorities are not used.
class Http2Connection {
public:
    /// Numbers a request of this connection.
    using Id = std::int32_t;

    struct Limits {
        std::uint32_t max_at_once = 128;     ///< requests; told to the client
        std::size_t max_header = 32 << 10;   ///< of one, names and values; beyond: reset
        std::size_t max_bodies = 256 << 20;  ///< of all that are coming in; beyond: reset
        std::size_t max_requests = 10000;    ///< then the connection ends in order
        Duration request_timeout = std::chrono::seconds{70};  ///< until one is whole; beyond: reset
    };
    struct Handlers {
        std::function<void(std::string_view)> send = {};
        /// How many bytes may wait to be sent: no answer is taken apart beyond.
        std::function<std::size_t()> room = {};
        /// Bytes of body that a request with this header may have; beyond: 413.
        std::function<std::size_t(const HttpRequest&)> max_body = {};
        std::function<void(Id, HttpRequest)> request = {};
        std::function<void(Id)> gone = {};  ///< it is over: answered, or its client gave it up
    };

    /// Begins with our SETTINGS.
    Http2Connection(Loop& loop, Limits limits, Handlers handlers);
    ~Http2Connection();

    /// False when the connection is over: what is owed has been sent, close it. Handlers may be
    /// called, and may answer at once, but not destroy this.
    bool receive(Bytes bytes);
    /// Something that was sent has left.
    void drained();
    /// Of a request that is gone: without effect.
    void respond(Id id, HttpResponse response);
    /// The client is to ask again over HTTP/1.1 (section 7, HTTP_1_1_REQUIRED).
    void want_http1(Id id);
    bool idle() const;  ///< nothing comes in, nothing is owed

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace strowger::io
