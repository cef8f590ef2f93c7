#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

/// AudioSocket: a call's sound to a program and back over one TCP connection. Each message is a
/// type, a length of 16 bits (big endian) and so many bytes.
namespace strowger::audiosocket {

enum class Type : std::uint8_t {
    terminate = 0x00,
    id = 0x01,     ///< 16 bytes, the first message: which call this is
    digit = 0x03,  ///< one character
    audio = 0x10,  ///< linear, 16 bit little endian, mono, 8000 samples a second
    error = 0xff,
};

struct Frame {
    std::uint8_t type = 0;
    Bytes payload;  ///< borrowed from the bytes that were fed
};

using Id = std::array<std::uint8_t, 16>;
/// "40325ec2-5efd-4bd3-805f-53576e581d13", any case.
std::optional<Id> parse_id(std::string_view text);

std::string id_frame(const Id& id);
std::string terminate_frame();
std::string digit_frame(char digit);
std::string audio_frame(std::span<const std::int16_t> samples);  ///< at most max_samples

/// The samples of an audio frame; an odd byte at its end is left out.
std::vector<std::int16_t> samples_of(const Frame& frame);

inline constexpr std::size_t header_size = 3;
inline constexpr std::size_t max_samples = 0xffff / 2;

/// Takes frames out of a stream of bytes.
class Reader {
public:
    /// Appends what came. `next` gives one frame after the other; it is valid until the next call
    /// of either.
    void feed(Bytes bytes);
    std::optional<Frame> next();

private:
    std::vector<std::uint8_t> buffer_;
    std::size_t begin_ = 0;
};

}  // namespace strowger::audiosocket
