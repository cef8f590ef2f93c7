#include "wire/websocket/reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/utf8.hpp"

namespace strowger::websocket {

namespace {

template <typename... Args>
std::unexpected<Error> violation(CloseCode code, fmt::format_string<Args...> format,
                                 Args&&... args) {
    return fail_with(static_cast<int>(code), format, std::forward<Args>(args)...);
}

// Octets of a header whose second one this is: length, extended length, mask (section 5.2).
std::size_t size_of_header(std::uint8_t second) {
    const unsigned length = second & 0x7fU;
    const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
    return 2 + extended + (second & 0x80 ? 4 : 0);
}

void release(std::string& text) { std::string().swap(text); }

}  // namespace

Result<std::optional<Reader::Event>> Reader::next(Bytes& input) {
    if (std::exchange(told_, false)) {
        control_.clear();
        if (!joining_) message_.clear();
    }
    for (;;) {
        if (!in_payload_) {
            const auto wanted = [&] {
                return header_size_ < 2 ? std::size_t{2} : size_of_header(header_[1]);
            };
            while (!input.empty() && header_size_ < wanted()) {
                header_[header_size_++] = input.front();
                input = input.subspan(1);
            }
            if (header_size_ < wanted()) break;
            if (const auto begun = begin_frame(); !begun) return std::unexpected(begun.error());
        }
        unmask(input, is_control() ? control_ : message_);
        if (left_ > 0) break;
        in_payload_ = false;
        header_size_ = 0;
        if (is_control()) {
            told_ = true;
            return end_control();
        }
        auto whole = end_data();
        if (!whole || *whole) return whole;
    }
    // Most sockets are idle most of the time: nothing is kept for the next message.
    if (!joining_) release(message_);
    if (!in_payload_) release(control_);
    return std::nullopt;
}

Result<> Reader::begin_frame() {
    final_ = header_[0] & 0x80;
    opcode_ = static_cast<Opcode>(header_[0] & 0x0f);
    if (header_[0] & 0x70)
        return violation(CloseCode::protocol_error,
                         "a reserved bit is set (no extension was agreed on)");
    if (!(header_[1] & 0x80)) return violation(CloseCode::protocol_error, "an unmasked frame");
    left_ = header_[1] & 0x7f;
    std::size_t at = 2;
    if (const auto octets = size_of_header(header_[1]) - 6; octets > 0) {
        left_ = 0;
        for (std::size_t i = 0; i < octets; ++i) left_ = left_ << 8 | header_[at++];
        if (left_ >> 63 || left_ <= (octets == 2 ? 125 : 0xffff))
            return violation(CloseCode::protocol_error, "a length of {} in {} octets", left_,
                             octets);
    }
    std::copy_n(header_.begin() + static_cast<std::ptrdiff_t>(at), mask_.size(), mask_.begin());
    masked_ = 0;
    in_payload_ = true;
    switch (opcode_) {
        case Opcode::close:
        case Opcode::ping:
        case Opcode::pong:
            if (!final_ || left_ > max_control_payload)
                return violation(CloseCode::protocol_error,
                                 "a control frame in fragments or of {} octets", left_);
            return {};
        case Opcode::text:
        case Opcode::binary:
            if (joining_)
                return violation(CloseCode::protocol_error, "a message within another one");
            text_ = opcode_ == Opcode::text;
            break;
        case Opcode::continuation:
            if (!joining_)
                return violation(CloseCode::protocol_error, "a continuation of no message");
            break;
        default:
            return violation(CloseCode::protocol_error, "reserved opcode {}",
                             static_cast<unsigned>(opcode_));
    }
    joining_ = true;
    if (left_ > max_message_ - message_.size())
        return violation(CloseCode::too_large, "a message of more than {} octets", max_message_);
    return {};
}

void Reader::unmask(Bytes& input, std::string& into) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
    const std::size_t begin = into.size();
    into.append(as_text(input.first(size)));
    // The mask from where the frame is, twice: eight octets at a time.
    std::array<std::uint8_t, 8> turned{};
    for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = mask_[(masked_ + i) % 4];
    std::uint64_t wide;
    std::memcpy(&wide, turned.data(), sizeof wide);
    std::size_t i = 0;
    for (; i + sizeof wide <= size; i += sizeof wide) {
        std::uint64_t piece;
        std::memcpy(&piece, into.data() + begin + i, sizeof piece);
        piece ^= wide;
        std::memcpy(into.data() + begin + i, &piece, sizeof piece);
    }
    for (; i < size; ++i)
        into[begin + i] =
            static_cast<char>(static_cast<std::uint8_t>(into[begin + i]) ^ turned[i % 8]);
    masked_ = static_cast<std::uint8_t>((masked_ + size) % 4);
    left_ -= size;
    input = input.subspan(size);
}

Result<Reader::Event> Reader::end_control() {
    const auto payload = as_bytes(control_);
    if (opcode_ == Opcode::ping) return Event{.kind = Event::Kind::ping, .payload = payload};
    if (opcode_ == Opcode::pong) return Event{.kind = Event::Kind::pong, .payload = payload};
    if (payload.empty())
        return Event{.kind = Event::Kind::close, .code = static_cast<int>(CloseCode::none)};
    const int code = payload.size() < 2 ? 0 : load16(payload, 0);
    if (!is_close_code(code))
        return violation(CloseCode::protocol_error, "close code {} may not be sent", code);
    const auto reason = payload.subspan(2);
    if (!is_utf8(as_text(reason)))
        return violation(CloseCode::not_utf8, "the reason for closing is not UTF-8");
    return Event{.kind = Event::Kind::close, .code = code, .payload = reason};
}

Result<std::optional<Reader::Event>> Reader::end_data() {
    if (!final_) return std::nullopt;
    joining_ = false;
    told_ = true;
    if (text_ && !is_utf8(message_))
        return violation(CloseCode::not_utf8, "a text message that is not UTF-8");
    return Event{.kind = Event::Kind::message, .text = text_, .payload = as_bytes(message_)};
}

}  // namespace strowger::websocket
