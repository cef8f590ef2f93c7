#pragma once

#include <cstdint>
#include <vector>

#include "base/time.hpp"

namespace strowger::sip {

/// One time per item, the earliest at hand: a binary heap that knows where each item stands, so
/// that a moved or removed timer leaves nothing behind. Items are small numbers (slots of a table).
class TimerHeap {
public:
    /// Sets, moves or (with `Time::max()`) removes the item's time.
    void set(std::uint32_t item, Time when);
    Time next() const { return heap_.empty() ? Time::max() : heap_.front().when; }
    std::uint32_t next_item() const { return heap_.front().item; }
    std::size_t size() const { return heap_.size(); }

private:
    struct Entry {
        Time when;
        std::uint32_t item;
    };

    void place(std::size_t at, Entry entry);
    void rise(std::size_t at, Entry entry);
    void sink(std::size_t at, Entry entry);
    void remove(std::size_t at);

    std::vector<Entry> heap_;
    std::vector<std::uint32_t> place_;  ///< by item: its index in the heap plus one, 0 for none
};

}  // namespace strowger::sip
