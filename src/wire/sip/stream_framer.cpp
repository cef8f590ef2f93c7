#include "wire/sip/stream_framer.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "wire/sip/message.hpp"
#include "wire/sip/syntax.hpp"

namespace strowger::sip {

namespace {

/// The Content-Length of a start line and its headers. Only that header is read; all else is for
/// the parser to judge.
Result<std::size_t> content_length(std::string_view head) {
    std::optional<std::string_view> found;
    auto at = head.find("\r\n");
    while (at + 2 < head.size()) {
        const auto start = at + 2;
        at = head.find("\r\n", start);
        while (at + 2 < head.size() && (head[at + 2] == ' ' || head[at + 2] == '\t'))
            at = head.find("\r\n", at + 2);
        const auto [name, value] = split_once(head.substr(start, at - start), ':');
        if (header_by_name(syntax::trim_lws(name)) != HeaderId::content_length) continue;
        if (found) return fail_with(400, "two Content-Length headers");
        found = syntax::trim_lws(value);
    }
    if (!found) return fail_with(400, "no Content-Length on a stream");
    if (found->empty() || !std::all_of(found->begin(), found->end(), is_digit))
        return fail_with(400, "Content-Length '{}': expected a number", syntax::excerpt(*found));
    const auto length = parse_number<std::uint32_t>(*found);
    if (!length) return fail_with(413, "Content-Length {}", syntax::excerpt(*found));
    return *length;
}

}  // namespace

StreamFramer::StreamFramer() : StreamFramer(Message::max_size) {}
StreamFramer::StreamFramer(std::size_t max_body) : max_body_(max_body) {}

void StreamFramer::receive(Bytes bytes) {
    if (error_) return;
    // What was handed out goes now, so that the frames stayed valid until here.
    buffer_.erase(0, start_);
    scanned_ -= std::min(scanned_, start_);
    start_ = 0;
    pings_ = 0;
    if (buffer_.empty() && buffer_.capacity() > kept_capacity) std::string().swap(buffer_);
    buffer_ += as_text(bytes);
}

Result<std::optional<StreamFramer::Frame>> StreamFramer::broken(Error error) {
    error_ = error;
    return std::unexpected(std::move(error));
}

std::optional<StreamFramer::Frame> StreamFramer::keep_alive() {
    const auto rest = pending();
    if (pong_expected_ && rest.starts_with("\r\n")) {
        pong_expected_ = false;
        start_ += 2;
        return Frame{Kind::pong, {}};
    }
    if (rest.starts_with("\r\n\r\n")) {
        start_ += 4;
        return Frame{Kind::ping, {}};
    }
    return std::nullopt;
}

Result<std::optional<StreamFramer::Frame>> StreamFramer::next() {
    if (error_) return std::unexpected(*error_);
    if (!message_size_) {
        if (const auto frame = keep_alive()) {
            if (++pings_ > max_pings_a_read) return broken(Error("a flood of keep-alives"));
            return frame;
        }
        // A single CRLF before a message is ignored (section 7.5); alone it may become a ping.
        if (pending() == "\r\n" || pending() == "\r" || pending() == "\r\n\r")
            return std::optional<Frame>{};
        if (pending().starts_with("\r\n")) start_ += 2;

        scanned_ = std::max(scanned_, start_);
        const auto end = buffer_.find("\r\n\r\n", scanned_);
        const auto head = end == std::string::npos ? buffer_.size() - start_ : end + 4 - start_;
        if (head > max_header_bytes)
            return broken(
                Error(fmt::format("more than {} bytes of headers", max_header_bytes), 513));
        if (end == std::string::npos) {
            scanned_ = std::max(start_, buffer_.size() - std::min<std::size_t>(buffer_.size(), 3));
            return std::optional<Frame>{};
        }
        const auto length = content_length(std::string_view(buffer_).substr(start_, head));
        if (!length) return broken(length.error());
        if (*length > max_body_)
            return broken(Error(
                fmt::format("Content-Length {}, at most {} are taken", *length, max_body_), 413));
        message_size_ = head + *length;
    }
    if (buffer_.size() - start_ < *message_size_) return std::optional<Frame>{};
    const Frame frame{Kind::message, pending().substr(0, *message_size_)};
    start_ += *message_size_;
    scanned_ = start_;
    message_size_.reset();
    return std::optional{frame};
}

}  // namespace strowger::sip
