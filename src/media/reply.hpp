#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <utility>

namespace strowger::media {

/// An answer that comes later, on the thread that waits for it: `co_await reply`.
///
/// Copies stand for the same answer: one goes along with the work and is `set` when it is back on
/// the waiter's thread. A waiter that is destroyed before is forgotten.
template <typename T>
class Reply {
public:
    Reply() : state_(std::make_shared<State>()) {}

    void set(T value) {
        state_->value.emplace(std::move(value));
        if (const auto waiter = std::exchange(state_->waiter, {})) waiter.resume();
    }

    auto operator co_await() const {
        struct Awaiter {
            explicit Awaiter(std::shared_ptr<State> s) : state(std::move(s)) {}
            Awaiter(const Awaiter&) = delete;
            Awaiter& operator=(const Awaiter&) = delete;
            ~Awaiter() { state->waiter = {}; }
            bool await_ready() const { return state->value.has_value(); }
            void await_suspend(std::coroutine_handle<> waiting) { state->waiter = waiting; }
            T await_resume() { return std::move(*state->value); }
            std::shared_ptr<State> state;
        };
        return Awaiter(state_);
    }

private:
    struct State {
        std::optional<T> value;
        std::coroutine_handle<> waiter;
    };
    std::shared_ptr<State> state_;  // of the waiter and of the work under way
};

}  // namespace strowger::media
