#pragma once

#include <array>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/websocket/frame.hpp"

namespace strowger::websocket {

/// Takes messages out of what a client sends (RFC 6455 sections 5 and 6): unmasks, joins
/// fragments, and holds nothing while nothing is under way.
///
///     while (true) {
///         const auto got = reader.next(bytes);      // takes from the front of `bytes`
///         if (!got) return fail_the_connection(got.error());
///         if (!*got) return;                        // needs more
///         ...
///     }
class Reader {
public:
    struct Event {
        enum class Kind : std::uint8_t { message, ping, pong, close } kind;
        bool text = false;   ///< of a message: it is UTF-8
        int code = 0;        ///< of a close: the peer's, or CloseCode::none
        Bytes payload = {};  ///< of a close: the reason; borrowed until the next call
    };

    explicit Reader(std::size_t max_message) : max_message_(max_message) {}

    /// An error carries the code that the connection is to be closed with; nothing may be read
    /// after it.
    Result<std::optional<Event>> next(Bytes& input);

private:
    static constexpr std::size_t longest_header = 14;

    Result<> begin_frame();
    void unmask(Bytes& input, std::string& into);
    Result<Event> end_control();
    Result<std::optional<Event>> end_data();
    bool is_control() const { return static_cast<unsigned>(opcode_) >= 8; }

    std::size_t max_message_;
    std::uint64_t left_ = 0;  // of the frame's payload
    std::string message_, control_;
    std::array<std::uint8_t, longest_header> header_{};
    std::array<std::uint8_t, 4> mask_{};
    std::uint8_t header_size_ = 0;
    std::uint8_t masked_ = 0;  // octets of the payload so far, modulo four
    Opcode opcode_{};          // of the frame
    bool in_payload_ = false;
    bool final_ = false;
    bool joining_ = false;  // the first fragment of a message has come
    bool text_ = false;     // the message
    bool told_ = false;     // its payload was lent out
};

}  // namespace strowger::websocket
