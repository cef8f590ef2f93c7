#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "base/time.hpp"

namespace strowger::media {

class Timers;

/// One deadline of something on a media thread. Lives in its owner; destroying it disarms it.
class Timer {
public:
    explicit Timer(std::function<void(Time now)> due) : due_(std::move(due)) {}
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    bool armed() const { return timers_ != nullptr; }
    Time deadline() const { return deadline_; }  ///< of an armed one

private:
    friend class Timers;

    std::function<void(Time)> due_;
    Timers* timers_ = nullptr;
    std::size_t place_ = 0;
    Time deadline_{};
};

/// The deadlines of one thread in a heap. Arming and disarming allocate nothing once the heap has
/// grown to the number of timers that there are.
class Timers {
public:
    ~Timers();

    /// (Re)arms; one that is armed moves.
    void arm(Timer& timer, Time deadline);
    void disarm(Timer& timer);

    Time next() const { return heap_.empty() ? Time::max() : heap_.front()->deadline_; }

    /// Runs what is due, earliest first. A timer is disarmed before it runs and may rearm itself or
    /// destroy any timer.
    void run(Time now);

private:
    void place(std::size_t at, Timer* timer);
    void sift_up(std::size_t at);
    void sift_down(std::size_t at);

    std::vector<Timer*> heap_;
};

}  // namespace strowger::media
