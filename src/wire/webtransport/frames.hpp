#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace strowger::webtransport {

/// Frame types of HTTP/3 (RFC 9114 section 7.2).
enum Frame : std::uint64_t {
    frame_data = 0x0,
    frame_headers = 0x1,
    frame_cancel_push = 0x3,
    frame_settings = 0x4,
    frame_push_promise = 0x5,
    frame_goaway = 0x7,
    frame_max_push_id = 0xd,
};

/// Cuts a stream into HTTP/3 frames, wherever its packets were cut.
///
/// DATA comes in pieces as it arrives; other known frames whole; unknown ones are skipped, as
/// RFC 9114 section 9 wants. The types that HTTP/2 had are errors (section 7.2.8).
class FrameReader {
public:
    /// Of a frame that is kept whole: above any header block or settings that we care for.
    static constexpr std::size_t max_kept = 16 << 10;

    struct Read {
        std::uint64_t type;
        Bytes payload;  ///< valid until the next call
    };

    /// Takes from the front of `bytes` up to the end of one frame or piece; nothing when more
    /// bytes are needed. The error carries an HTTP/3 code.
    Result<std::optional<Read>> next(Bytes& bytes);
    /// No frame is under way: the stream may end here.
    bool between_frames() const { return stage_ == Stage::header && header_length_ == 0; }

private:
    enum class Stage { header, pieces, whole, skip };
    Result<bool> read_header(Bytes& bytes);

    Stage stage_ = Stage::header;
    std::array<std::uint8_t, 16> header_{};
    std::size_t header_length_ = 0;
    std::uint64_t type_ = 0, left_ = 0;
    std::vector<std::uint8_t> kept_;
};

void put_frame(std::vector<std::uint8_t>& out, std::uint64_t type, Bytes payload);

}  // namespace strowger::webtransport
