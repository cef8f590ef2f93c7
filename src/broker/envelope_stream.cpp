#include "broker/envelope_stream.hpp"

namespace strowger::broker {

namespace {
constexpr std::size_t length_size = 4;
constexpr int close_too_big = 1009;  // RFC 6455 section 7.4.1
}  // namespace

EnvelopeStream::EnvelopeStream(std::unique_ptr<TransportSession> session, std::string subprotocol,
                               std::size_t max_message)
    : session_(std::move(session)),
      subprotocol_(std::move(subprotocol)),
      max_message_(max_message),
      alive_(std::make_shared<bool>(true)) {}

EnvelopeStream::~EnvelopeStream() { *alive_ = false; }

void EnvelopeStream::start(Handlers handlers) {
    handlers_ = std::move(handlers);
    session_->start({.data = [this](TransportSession::StreamId stream, Bytes bytes,
                                    bool fin) { receive(stream, bytes, fin); },
                     .closed =
                         [this](const Error& error) {
                             const auto told = std::exchange(handlers_, {});
                             if (told.closed) told.closed(error);
                         }});
}

void EnvelopeStream::receive(TransportSession::StreamId stream, Bytes bytes, bool fin) {
    if (!stream_) {
        stream_ = stream;
        for (const auto& message : std::exchange(early_, {})) session_->send(stream, message);
    }
    if (stream != *stream_) return;  // one is all that we talk on
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    const auto alive = alive_;
    deliver();
    if (*alive && fin) close(1000, "the stream ended");
}

void EnvelopeStream::deliver() {
    const auto alive = alive_;
    std::size_t at = 0;
    while (buffer_.size() - at >= length_size) {
        const std::size_t length = load32(buffer_, at);
        if (length > max_message_) {
            close(close_too_big,
                  fmt::format("a message of {} bytes; at most {}", length, max_message_));
            return;
        }
        if (buffer_.size() - at - length_size < length) break;
        const auto message = Bytes(buffer_).subspan(at + length_size, length);
        at += length_size + length;
        if (handlers_.message) handlers_.message(message, false);
        if (!*alive) return;
    }
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at));
}

bool EnvelopeStream::send_binary(Bytes bytes) {
    std::vector<std::uint8_t> framed(length_size);
    store32(framed, 0, static_cast<std::uint32_t>(bytes.size()));
    framed.insert(framed.end(), bytes.begin(), bytes.end());
    if (stream_) return session_->send(*stream_, framed);
    if (early_.size() >= max_early) return false;
    early_.push_back(std::move(framed));
    return true;
}

void EnvelopeStream::close(int code, std::string_view reason) {
    session_->close(static_cast<std::uint32_t>(code), reason);
}

}  // namespace strowger::broker
