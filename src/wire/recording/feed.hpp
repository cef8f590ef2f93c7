#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace strowger::recording {

/// The feed: packets of one recorded call, in the clear and in the order of their arrival, as the
/// relay leaves them in a file for the recorder. All numbers are big-endian.
///
/// A head of 16 bytes (`feed_magic`, then the calendar time of its beginning in nanoseconds), then
/// records: size of the payload (4 bytes), stream (2), kind (1), flags (1; bit 0: sent to the
/// party, not by it; bit 1: for forwarding alone), nanoseconds since the beginning (8), payload.
/// The beginning is counted on the monotonic clock, so a calendar that is put right moves no voice.
struct FeedRecord {
    enum class Kind : std::uint8_t {
        rtp = 1,
        rtcp = 2,
        lost = 3,  ///< so many packets (4 bytes) had no room; payload
        end = 4,   ///< the recording is over; without it the relay died
    };
    Kind kind = Kind::rtp;
    bool egress = false;
    bool forwarded_only = false;  ///< the call is not recorded, or not now
    std::uint16_t stream = 0;
    Duration at{};
    Bytes payload = {};  ///< of a record that was read: valid until the reader is fed again
};

constexpr std::size_t feed_head_size = 16;
constexpr std::size_t feed_record_head_size = 16;
/// Longer than any packet that the relay takes.
constexpr std::size_t max_feed_payload = 4096;

void append_feed_head(std::vector<std::uint8_t>& out, WallTime begun);
void append_feed_record(std::vector<std::uint8_t>& out, const FeedRecord& record);

/// Takes a feed apart that comes in pieces of any size.
class FeedReader {
public:
    void feed(Bytes bytes);
    /// The next whole record; nothing until more has come. What is no feed stays an error.
    Result<std::optional<FeedRecord>> next();

    /// When the feed began; nothing before its head has come.
    const std::optional<WallTime>& begun() const { return begun_; }
    std::size_t waiting() const { return buffer_.size() - at_; }

private:
    std::vector<std::uint8_t> buffer_;
    std::size_t at_ = 0;
    std::uint64_t offset_ = 0;  // of at_ in the feed, for errors
    std::optional<WallTime> begun_;
    bool broken_ = false;
};

}  // namespace strowger::recording
