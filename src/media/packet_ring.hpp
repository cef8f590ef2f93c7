#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"

namespace strowger::media {

/// Copies of packets on their way from one media thread to one thread that writes them down: a
/// ring of bytes without locks. Putting in allocates nothing and never waits; what has no room is
/// dropped and counted.
class PacketRing {
public:
    /// A second of what 100 recorded calls of two voices bring: the other thread empties it twenty
    /// times as often.
    static constexpr std::size_t capacity = std::size_t{4} << 20;

    struct Packet {
        std::uint64_t recording = 0;
        SocketAddress remote;  ///< the party's end of it
        Time at{};
        std::uint16_t stream = 0;
        bool rtcp = false;
        bool egress = false;  ///< sent to the party, not by it
        bool forwarded_only = false;
    };

    PacketRing();

    /// By the media thread.
    bool put(const Packet& packet, Bytes bytes);

    /// By the other: visits what is there and takes it out. The bytes are valid during the visit.
    template <typename Visit>
    void drain(Visit visit) {
        const std::uint64_t end = written_.load(std::memory_order_acquire);
        std::uint64_t at = read_.load(std::memory_order_relaxed);
        while (at != end) {
            const Head& head = head_at(at);
            if (head.size != skip)
                visit(head.packet, Bytes(bytes_.get() + at % capacity + sizeof(Head), head.size));
            at += head.room;
            read_.store(at, std::memory_order_release);
        }
    }

    /// Since the beginning.
    std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

private:
    static constexpr std::uint32_t skip = 0xffffffff;  // the rest up to the ring's end is empty
    struct Head {
        std::uint32_t size = 0, room = 0;
        Packet packet;
    };
    // The end of the ring always has room for the part of a head that says how far to skip.
    static constexpr std::size_t unit = 16;

    const Head& head_at(std::uint64_t at) const {
        return *reinterpret_cast<const Head*>(bytes_.get() + at % capacity);
    }

    std::unique_ptr<std::uint8_t[]> bytes_;
    alignas(64) std::atomic<std::uint64_t> written_{0};
    std::atomic<std::uint64_t> dropped_{0};
    alignas(64) std::atomic<std::uint64_t> read_{0};
};

}  // namespace strowger::media
