#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace strowger::media {

/// Messages of one thread for one other, in places that are made once: without locks, and nothing
/// is allocated for a message.
///
///     if (Slot* slot = ring.free()) { fill(*slot); ring.put(); }        // the one thread
///     while (Slot* slot = ring.first()) { use(*slot); ring.take(); }    // the other
template <typename Slot, std::size_t count>
class SlotRing {
public:
    /// The place to fill next, with what was in it when it was taken; null: all are full.
    Slot* free() {
        const std::uint64_t at = put_.load(std::memory_order_relaxed);
        if (at - taken_.load(std::memory_order_acquire) == count) return nullptr;
        return &slots_[at % count];
    }
    void put() { put_.store(put_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

    /// The oldest message; null: there is none.
    Slot* first() {
        const std::uint64_t at = taken_.load(std::memory_order_relaxed);
        return at == put_.load(std::memory_order_acquire) ? nullptr : &slots_[at % count];
    }
    void take() {
        taken_.store(taken_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }

private:
    static_assert(count > 0 && (count & (count - 1)) == 0);  // so that counters may wrap

    const std::unique_ptr<Slot[]> slots_ = std::make_unique_for_overwrite<Slot[]>(count);
    alignas(64) std::atomic<std::uint64_t> put_{0};
    alignas(64) std::atomic<std::uint64_t> taken_{0};
};

}  // namespace strowger::media
