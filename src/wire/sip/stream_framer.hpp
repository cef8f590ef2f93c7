#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace strowger::sip {

/// Takes a TCP or TLS stream apart into messages (RFC 3261 section 18.3) and keep-alives (RFC 5626
/// section 3.5.1).
///
///     framer.receive(bytes);
///     for (;;) {
///         auto frame = framer.next();
///         if (!frame) ...    // close the connection: where the next message begins is lost
///         if (!*frame) break;
///     }
///
/// On a stream every message must tell its Content-Length. After an error the framer stays broken;
/// `pending` then still shows the message at fault, so that it can be answered first (the error's
/// code says how).
class StreamFramer {
public:
    /// A start line and its headers; RFC 3261 sets no bound, no honest sender comes near.
    static constexpr std::size_t max_header_bytes = 64 * 1024;
    /// Empty lines in a row that only serve to keep us busy.
    static constexpr std::size_t max_pings_a_read = 64;

    /// An idle connection holds no more memory than this, however large its last message was.
    static constexpr std::size_t kept_capacity = 16 * 1024;

    enum class Kind : std::uint8_t {
        message,
        ping,  ///< CRLF CRLF: answer with CRLF
        pong,  ///< CRLF, the answer to our own ping
    };
    struct Frame {
        Kind kind = Kind::message;
        std::string_view bytes;  ///< of a message; valid until the next call of the framer
    };

    /// `max_body`: a larger Content-Length is an error with code 413.
    explicit StreamFramer(std::size_t max_body);
    StreamFramer();

    void receive(Bytes bytes);
    /// We sent a ping on this connection: the next CRLF alone is its pong.
    void ping_sent() { pong_expected_ = true; }

    Result<std::optional<Frame>> next();

    std::string_view pending() const { return std::string_view(buffer_).substr(start_); }
    /// Whether part of a message is there: the owner gives it a time limit.
    bool in_message() const { return start_ < buffer_.size(); }

private:
    Result<std::optional<Frame>> broken(Error error);
    std::optional<Frame> keep_alive();

    std::size_t max_body_;
    std::string buffer_;
    std::size_t start_ = 0;    ///< of what is not yet handed out
    std::size_t scanned_ = 0;  ///< up to here there is no end of headers
    std::optional<std::size_t> message_size_;
    std::size_t pings_ = 0;
    bool pong_expected_ = false;
    std::optional<Error> error_;
};

}  // namespace strowger::sip
