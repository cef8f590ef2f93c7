#include "wire/recording/feed.hpp"

#include <algorithm>
#include <string_view>

namespace strowger::recording {
namespace {

constexpr std::string_view feed_magic = "SWGFEED1";

void put64(std::vector<std::uint8_t>& out, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8)
        out.push_back(static_cast<std::uint8_t>(value >> shift));
}

std::int64_t load64(Bytes bytes, std::size_t at) {
    return static_cast<std::int64_t>(std::uint64_t{load32(bytes, at)} << 32 |
                                     load32(bytes, at + 4));
}

}  // namespace

void append_feed_head(std::vector<std::uint8_t>& out, WallTime begun) {
    out.insert(out.end(), feed_magic.begin(), feed_magic.end());
    put64(out, static_cast<std::uint64_t>(begun.time_since_epoch().count()));
}

void append_feed_record(std::vector<std::uint8_t>& out, const FeedRecord& record) {
    const std::size_t size = std::min(record.payload.size(), max_feed_payload);
    const auto at = out.size();
    out.resize(at + 8);
    const MutableBytes head = std::span(out).subspan(at);
    store32(head, 0, static_cast<std::uint32_t>(size));
    store16(head, 4, record.stream);
    head[6] = static_cast<std::uint8_t>(record.kind);
    head[7] = static_cast<std::uint8_t>((record.egress ? 1 : 0) | (record.forwarded_only ? 2 : 0));
    put64(out, static_cast<std::uint64_t>(record.at.count()));
    out.insert(out.end(), record.payload.begin(),
               record.payload.begin() + static_cast<std::ptrdiff_t>(size));
}

void FeedReader::feed(Bytes bytes) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at_));
    at_ = 0;
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<FeedRecord>> FeedReader::next() {
    if (broken_) return fail("the feed was broken before byte {}", offset_);
    Bytes rest = Bytes(buffer_).subspan(at_);
    if (!begun_) {
        const auto seen = std::min(rest.size(), feed_magic.size());
        if (as_text(rest.first(seen)) != feed_magic.substr(0, seen)) {
            broken_ = true;
            return fail("expected a feed that begins with {}", feed_magic);
        }
        if (rest.size() < feed_head_size) return std::nullopt;
        begun_ = WallTime(Duration(load64(rest, 8)));
        at_ += feed_head_size;
        offset_ += feed_head_size;
        rest = rest.subspan(feed_head_size);
    }
    if (rest.size() < feed_record_head_size) return std::nullopt;
    const std::size_t size = load32(rest, 0);
    const auto kind = rest[6];
    const auto at = load64(rest, 8);
    if (size > max_feed_payload || kind < 1 || kind > 4 || at < 0) {
        broken_ = true;
        return fail("byte {} of the feed: expected a record, came size {}, kind {}, time {}",
                    offset_, size, kind, at);
    }
    if (rest.size() < feed_record_head_size + size) return std::nullopt;
    at_ += feed_record_head_size + size;
    offset_ += feed_record_head_size + size;
    return FeedRecord{.kind = static_cast<FeedRecord::Kind>(kind),
                      .egress = (rest[7] & 1) != 0,
                      .forwarded_only = (rest[7] & 2) != 0,
                      .stream = load16(rest, 4),
                      .at = Duration(at),
                      .payload = rest.subspan(feed_record_head_size, size)};
}

}  // namespace strowger::recording
