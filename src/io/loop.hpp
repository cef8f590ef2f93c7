#pragma once

#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "base/time.hpp"

namespace strowger::io {

class Loop;
struct TimerNode;

/// A deadline that is waited for. Destroying it (or assigning another) cancels it; the function of
/// a cancelled timer is never called. Setting and cancelling cost O(log n), so thousands are cheap.
class Timer {
public:
    Timer() = default;
    Timer(Timer&& other) noexcept;
    Timer& operator=(Timer&& other) noexcept;
    ~Timer() { cancel(); }

    void cancel();
    bool pending() const { return node_ != nullptr; }

private:
    friend class Loop;
    Timer(Loop* loop, TimerNode* node);

    Loop* loop_ = nullptr;
    TimerNode* node_ = nullptr;
};

/// Readiness of a descriptor that somebody else owns and closes after the Watch has gone.
///
/// The functions are called again and again while the descriptor is ready (as with a
/// level-triggered poll) until replaced by nullptr or the Watch is destroyed; both may happen
/// inside them.
class Watch {
public:
    Watch(Loop& loop, int fd);
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch();

    void on_readable(std::function<void()> fn);
    void on_writable(std::function<void()> fn);

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with the wait in flight, which may end after the Watch
};

/// The event loop of one thread. Everything made with a Loop lives on its thread, and all callbacks
/// come on it; only `post` and `stop` may be called from others. A callback must not throw.
class Loop {
public:
    Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop();

    /// The monotonic clock as of this round: read at most once between two waits.
    Time now();

    /// Runs callbacks until `stop`. May be run again afterwards.
    void run();
    /// Runs callbacks until `done()` says so or the time is over; the answer is `done()`. For tests
    /// and start-up.
    bool run_until(const std::function<bool()>& done, Duration limit = std::chrono::seconds{10});
    /// Thread-safe and callable from a signal's function.
    void stop();
    /// Calls `fn` in a later round. Thread-safe.
    void post(std::move_only_function<void()> fn);

    /// Calls `fn` once when the time has come; at once (in the next round) if it has passed.
    [[nodiscard]] Timer at(Time when, std::move_only_function<void()> fn);
    [[nodiscard]] Timer after(Duration delay, std::move_only_function<void()> fn) {
        return at(now() + delay, std::move(fn));
    }

    /// Calls `fn` at the end of this round, before the loop waits again: where batched output goes.
    void at_round_end(std::move_only_function<void()> fn);

    /// Calls `fn` for each signal of that number, on the loop's thread, outside signal context.
    /// One loop of the process may have a given signal. nullptr restores the default action.
    void on_signal(int number, std::function<void(int)> fn);

    class Sleep;
    /// `co_await loop.sleep(20ms)`.
    Sleep sleep(Duration duration);

    class Readable;
    /// `co_await loop.wait_readable(fd)`: once, until the descriptor can be read or has an error.
    Readable wait_readable(int fd);

    struct Impl;
    Impl& impl() { return *impl_; }  ///< for the .cpp files of io

private:
    friend class Timer;
    std::unique_ptr<Impl> impl_;
};

class Loop::Sleep {
public:
    Sleep(Loop& loop, Duration duration) : loop_(loop), duration_(duration) {}
    bool await_ready() const { return duration_ <= Duration::zero(); }
    void await_suspend(std::coroutine_handle<> waiter) {
        timer_ = loop_.after(duration_, [waiter] { waiter.resume(); });
    }
    void await_resume() const {}

private:
    Loop& loop_;
    Duration duration_;
    Timer timer_;
};

class Loop::Readable {
public:
    Readable(Loop& loop, int fd) : loop_(loop), fd_(fd) {}
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> waiter) {
        watch_ = std::make_unique<Watch>(loop_, fd_);
        watch_->on_readable([this, waiter] {
            watch_->on_readable(nullptr);
            waiter.resume();
        });
    }
    void await_resume() { watch_.reset(); }

private:
    Loop& loop_;
    int fd_;
    std::unique_ptr<Watch> watch_;
};

inline Loop::Sleep Loop::sleep(Duration duration) { return {*this, duration}; }
inline Loop::Readable Loop::wait_readable(int fd) { return {*this, fd}; }

}  // namespace strowger::io
