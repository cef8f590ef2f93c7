#include "wire/sip/timer_heap.hpp"

namespace strowger::sip {

void TimerHeap::set(std::uint32_t item, Time when) {
    if (item >= place_.size()) place_.resize(item + 1, 0);
    const std::uint32_t place = place_[item];
    if (when == Time::max()) {
        if (place != 0) remove(place - 1);
    } else if (place == 0) {
        heap_.push_back({when, item});
        rise(heap_.size() - 1, {when, item});
    } else if (when < heap_[place - 1].when) {
        rise(place - 1, {when, item});
    } else {
        sink(place - 1, {when, item});
    }
}

void TimerHeap::place(std::size_t at, Entry entry) {
    heap_[at] = entry;
    place_[entry.item] = static_cast<std::uint32_t>(at + 1);
}

void TimerHeap::rise(std::size_t at, Entry entry) {
    while (at > 0 && entry.when < heap_[(at - 1) / 2].when) {
        place(at, heap_[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(at, entry);
}

void TimerHeap::sink(std::size_t at, Entry entry) {
    for (std::size_t child = 2 * at + 1; child < heap_.size(); child = 2 * at + 1) {
        if (child + 1 < heap_.size() && heap_[child + 1].when < heap_[child].when) ++child;
        if (heap_[child].when >= entry.when) break;
        place(at, heap_[child]);
        at = child;
    }
    place(at, entry);
}

void TimerHeap::remove(std::size_t at) {
    place_[heap_[at].item] = 0;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (at == heap_.size()) return;
    if (at > 0 && last.when < heap_[(at - 1) / 2].when) {
        rise(at, last);
    } else {
        sink(at, last);
    }
}

}  // namespace strowger::sip
