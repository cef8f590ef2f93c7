#include "recorder/arrivals.hpp"

#include <algorithm>

namespace strowger::recorder {

void Arrivals::put(const rtp::Header& header, Bytes payload, Duration now) {
    Packet packet{.header = header, .payload = {payload.begin(), payload.end()}, .arrived = now};
    if (!begun_) {
        begun_ = true;
        newest_ = (std::int64_t{1} << 32) + header.sequence;
        newest_timestamp_ = (std::uint64_t{1} << 40) + header.timestamp;
        packet.number = newest_;
        packet.timestamp = newest_timestamp_;
    } else {
        const auto step = static_cast<std::int16_t>(
            static_cast<std::uint16_t>(header.sequence - static_cast<std::uint16_t>(newest_)));
        const auto later = static_cast<std::int32_t>(header.timestamp -
                                                     static_cast<std::uint32_t>(newest_timestamp_));
        packet.number = newest_ + step;
        packet.timestamp = newest_timestamp_ + static_cast<std::uint64_t>(std::int64_t{later});
        if (step > 0) {
            newest_ = packet.number;
            newest_timestamp_ = packet.timestamp;
        }
    }
    if (last_taken_ && packet.number <= *last_taken_) {
        ++dropped_;
        return;
    }
    const auto place = std::ranges::lower_bound(waiting_, packet.number, {}, &Packet::number);
    if (place != waiting_.end() && place->number == packet.number) {
        ++dropped_;
        return;
    }
    waiting_.insert(place, std::move(packet));
}

std::optional<Arrivals::Packet> Arrivals::take(Duration now) {
    if (waiting_.empty()) return std::nullopt;
    const auto oldest = std::ranges::min(waiting_, {}, &Packet::arrived).arrived;
    if (now - oldest < patience && waiting_.size() <= max_waiting) return std::nullopt;
    set_time(waiting_.front());
    Packet packet = std::move(waiting_.front());
    waiting_.pop_front();
    last_taken_ = packet.number;
    return packet;
}

Duration Arrivals::by_timestamp(const Packet& packet) const {
    const auto since = static_cast<std::int64_t>(packet.timestamp - origin_timestamp_);
    return origin_ + Duration(since * 1'000'000 / clock_ * 1000);
}

void Arrivals::set_time(Packet& packet) {
    if (!placed_) {
        placed_ = true;
        origin_ = packet.arrived;
        origin_timestamp_ = packet.timestamp;
    }
    Duration late = Duration::max();
    for (const auto& other : waiting_) late = std::min(late, other.arrived - by_timestamp(other));
    if (late > tolerance || late < -tolerance) {
        origin_ += late;
        packet.moved = true;
    }
    packet.spoken = by_timestamp(packet);
    // Moved up with every packet, so that the difference stays small for ever.
    origin_ = packet.spoken;
    origin_timestamp_ = packet.timestamp;
}

}  // namespace strowger::recorder
