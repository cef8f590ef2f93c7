#include "media/timers.hpp"

namespace strowger::media {

Timer::~Timer() {
    if (timers_) timers_->disarm(*this);
}

Timers::~Timers() {
    for (Timer* timer : heap_) timer->timers_ = nullptr;
}

void Timers::arm(Timer& timer, Time deadline) {
    if (!timer.timers_) {
        timer.timers_ = this;
        heap_.push_back(nullptr);
        place(heap_.size() - 1, &timer);
    }
    timer.deadline_ = deadline;
    sift_up(timer.place_);
    sift_down(timer.place_);
}

void Timers::disarm(Timer& timer) {
    if (timer.timers_ != this) return;
    timer.timers_ = nullptr;
    const std::size_t hole = timer.place_;
    Timer* last = heap_.back();
    heap_.pop_back();
    if (last == &timer) return;
    place(hole, last);
    sift_up(hole);
    sift_down(last->place_);
}

void Timers::run(Time now) {
    while (!heap_.empty() && heap_.front()->deadline_ <= now) {
        Timer& timer = *heap_.front();
        disarm(timer);
        timer.due_(now);
    }
}

void Timers::place(std::size_t at, Timer* timer) {
    heap_[at] = timer;
    timer->place_ = at;
}

void Timers::sift_up(std::size_t at) {
    Timer* timer = heap_[at];
    while (at > 0) {
        const std::size_t parent = (at - 1) / 2;
        if (heap_[parent]->deadline_ <= timer->deadline_) break;
        place(at, heap_[parent]);
        at = parent;
    }
    place(at, timer);
}

void Timers::sift_down(std::size_t at) {
    Timer* timer = heap_[at];
    while (true) {
        std::size_t child = 2 * at + 1;
        if (child >= heap_.size()) break;
        if (child + 1 < heap_.size() && heap_[child + 1]->deadline_ < heap_[child]->deadline_)
            ++child;
        if (timer->deadline_ <= heap_[child]->deadline_) break;
        place(at, heap_[child]);
        at = child;
    }
    place(at, timer);
}

}  // namespace strowger::media
