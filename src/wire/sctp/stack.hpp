#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace strowger::sctp {

class Association;

/// The clock of all associations of the process, and which of them have something to say.
///
/// The SCTP behind it (usrsctp) has one state a process, so the thread that makes the first
/// association owns them all; using them from another throws. That thread ticks the stack when
/// `deadline` has come, and drains each association that is then `ready`. Beside the ticks
/// usrsctp asks the system for the time, to measure round trips and lifetimes.
///
///     Stack& stack = Stack::the_process();
///     stack.tick(now);
///     while (Association* association = stack.ready()) drain(*association);
class Stack {
public:
    static Stack& the_process();
    Stack(const Stack&) = delete;

    /// Timers run in steps of this.
    static constexpr Duration step = std::chrono::milliseconds{10};

    void tick(Time now);
    Time deadline() const;  ///< `Time::max()` without associations
    Association* ready();   ///< each once, until something new happens to it

private:
    friend class Association;
    Stack();
    ~Stack() = default;  ///< never run: timers of closed associations outlive all of them

    void check_thread() const;
    std::uintptr_t add(Association& association);
    void remove(std::uintptr_t id);
    Association* find(std::uintptr_t id);
    void note_ready(std::uintptr_t id) { ready_.push_back(id); }

    /// By number and not by address: what is closed may still come up in a timer.
    std::unordered_map<std::uintptr_t, Association*> associations_;
    std::vector<std::uintptr_t> ready_;
    std::uintptr_t next_ = 1;
    Time last_{};
};

}  // namespace strowger::sctp
