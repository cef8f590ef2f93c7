#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "wire/ng/document.hpp"

namespace strowger::ng {

constexpr std::size_t max_cookie = 255;  ///< those of control modules have some twenty characters

/// A document with the cookie in front that names its exchange; a reply has the cookie of its
/// request, and a request that comes again has the cookie of the first. Borrows.
struct Message {
    std::string_view cookie;
    std::string_view document;
};

/// A datagram: cookie, one space, document. Nothing when there is no cookie, which gets no reply.
std::optional<Message> split_message(std::string_view datagram);

std::string join_message(std::string_view cookie, std::string_view document);

/// Finds where a document ends that comes in parts, without looking at any byte twice.
class DocumentScanner {
public:
    enum class State : std::uint8_t { more, complete, broken };

    /// Looks on in `text`, which is the document so far. `size` is the size of a complete one.
    State scan(std::string_view text);
    std::size_t size() const { return at_; }

private:
    State scan_bencode(std::string_view text);
    State scan_json(std::string_view text);

    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    std::size_t length_ = 0;  ///< bencode: of the string whose length is being read
    bool in_length_ = false, in_integer_ = false;
    bool in_string_ = false, escaped_ = false;  ///< JSON
};

/// Messages back to back on a stream, as control connections over TCP have them.
class StreamFramer {
public:
    /// Bytes that came, for `poll` to take messages from. Fails when what came can be no message;
    /// the connection is then of no more use.
    void receive(std::string_view bytes);

    /// The next message, borrowed until the next call. An empty optional: there is none yet.
    Result<std::optional<Message>> poll();

private:
    std::string buffer_;
    std::size_t taken_ = 0;     ///< of `buffer_`, by the message that was polled last
    std::size_t document_ = 0;  ///< where it begins, once the cookie is complete
    DocumentScanner scanner_;
};

}  // namespace strowger::ng
