#include "wire/audiosocket/frame.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace strowger::audiosocket {

namespace {

std::string header(Type type, std::size_t length) {
    return {static_cast<char>(type), static_cast<char>(length >> 8), static_cast<char>(length)};
}

std::optional<std::uint8_t> nibble(char c) {
    const char small = lower(c);
    if (is_digit(small)) return static_cast<std::uint8_t>(small - '0');
    if (small >= 'a' && small <= 'f') return static_cast<std::uint8_t>(small - 'a' + 10);
    return std::nullopt;
}

}  // namespace

std::optional<Id> parse_id(std::string_view text) {
    static constexpr std::size_t length = 36;
    if (text.size() != length) return std::nullopt;
    Id id{};
    std::size_t digits = 0;
    for (std::size_t i = 0; i < length; ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (text[i] == '-')) return std::nullopt;
        if (dash) continue;
        const auto value = nibble(text[i]);
        if (!value) return std::nullopt;
        auto& byte = id[digits / 2];
        byte = static_cast<std::uint8_t>(digits % 2 == 0 ? *value << 4 : byte | *value);
        ++digits;
    }
    return id;
}

std::string id_frame(const Id& id) {
    return header(Type::id, id.size()) + std::string(id.begin(), id.end());
}

std::string terminate_frame() { return header(Type::terminate, 0); }

std::string digit_frame(char digit) { return header(Type::digit, 1) + digit; }

std::string audio_frame(std::span<const std::int16_t> samples) {
    samples = samples.first(std::min(samples.size(), max_samples));
    auto frame = header(Type::audio, samples.size() * 2);
    for (const auto sample : samples) {
        const auto bits = static_cast<std::uint16_t>(sample);
        frame += static_cast<char>(bits & 0xff);
        frame += static_cast<char>(bits >> 8);
    }
    return frame;
}

std::vector<std::int16_t> samples_of(const Frame& frame) {
    std::vector<std::int16_t> samples(frame.payload.size() / 2);
    for (std::size_t i = 0; i < samples.size(); ++i)
        samples[i] = static_cast<std::int16_t>(
            static_cast<std::uint16_t>(frame.payload[2 * i] | frame.payload[2 * i + 1] << 8));
    return samples;
}

void Reader::feed(Bytes bytes) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

std::optional<Frame> Reader::next() {
    const Bytes rest = Bytes(buffer_).subspan(begin_);
    if (rest.size() < header_size) return std::nullopt;
    const std::size_t length = load16(rest, 1);
    if (rest.size() < header_size + length) return std::nullopt;
    begin_ += header_size + length;
    return Frame{rest[0], rest.subspan(header_size, length)};
}

}  // namespace strowger::audiosocket
