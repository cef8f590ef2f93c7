#include "media/packet_ring.hpp"

#include <cstring>
#include <new>

namespace strowger::media {

PacketRing::PacketRing() : bytes_(std::make_unique_for_overwrite<std::uint8_t[]>(capacity)) {
    static_assert(capacity % unit == 0 && alignof(Head) <= unit);
}

bool PacketRing::put(const Packet& packet, Bytes bytes) {
    const std::size_t room = (sizeof(Head) + bytes.size() + unit - 1) / unit * unit;
    std::uint64_t at = written_.load(std::memory_order_relaxed);
    const std::uint64_t used = at - read_.load(std::memory_order_acquire);
    const std::size_t left = capacity - at % capacity;  // before the ring begins anew
    const std::size_t skipped = left < room ? left : 0;
    if (used + skipped + room > capacity) {
        dropped_.store(dropped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return false;
    }
    if (skipped > 0) {
        const std::uint32_t words[] = {skip, static_cast<std::uint32_t>(skipped)};
        std::memcpy(bytes_.get() + at % capacity, words, sizeof words);
        at += skipped;
    }
    std::uint8_t* place = bytes_.get() + at % capacity;
    new (place)
        Head{static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(room), packet};
    std::memcpy(place + sizeof(Head), bytes.data(), bytes.size());
    written_.store(at + room, std::memory_order_release);
    return true;
}

}  // namespace strowger::media
