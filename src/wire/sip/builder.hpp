#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/address.hpp"
#include "wire/sip/message.hpp"

namespace strowger::sip {

/// Writes a message from front to back into one string.
///
///     Builder b = Builder::request("OPTIONS", "sip:bob@example.com");
///     b.header(HeaderId::call_id, id).header("X-Trace", "1");
///     std::string wire = std::move(b).finish(body, "application/sdp");
///
/// Values are written as given except that CR, LF and NUL become spaces, so that no value read from
/// somewhere else can start a header of its own. Content-Length is written by `finish`, always.
class Builder {
public:
    static Builder request(std::string_view method, std::string_view uri);
    static Builder response(int status, std::string_view reason = {});
    /// A response with the headers that section 8.2.6.2 copies: Via (all, in order), From, To (with
    /// `to_tag` added if the request had none and it is not empty), Call-ID, CSeq; for 100 also
    /// Timestamp. The top Via gets `received` and `rport` (RFC 3581) from `received_from`, where
    /// the request came from.
    static Builder response_to(const Message& request, int status, std::string_view to_tag,
                               std::string_view reason = {},
                               const std::optional<SocketAddress>& received_from = {});

    Builder& header(HeaderId id, std::string_view value);
    Builder& header(std::string_view name, std::string_view value);
    Builder& header(HeaderId id, std::uint64_t number);
    /// Whole lines that our own code wrote, each with its CRLF; taken as they are.
    Builder& lines(std::string_view whole) {
        text_ += whole;
        return *this;
    }
    /// Copies every line of that header from another message, in order.
    Builder& copy(HeaderId id, const Message& from);

    std::string finish() &&;
    std::string finish(std::string_view body, std::string_view content_type) &&;

private:
    std::string text_;
};

/// The default reason phrase: 404 gives "Not Found"; "" for unknown codes of no class.
std::string_view reason_phrase(int status);

}  // namespace strowger::sip
