#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <utility>

namespace strowger::io {

/// Turns a callback into something a Task can await: one side calls `resolve` once, the other
/// awaits once, in either order and on one thread. A waiter that is destroyed is forgotten.
///
///     Completion<int> done;
///     start_something([done](int result) { done.resolve(result); });
///     const int result = co_await done;
template <typename T>
class Completion {
    struct State {
        std::optional<T> value;
        std::coroutine_handle<> waiter;
    };

public:
    Completion() : state_(std::make_shared<State>()) {}

    /// The first value counts, later ones are dropped. Resumes the waiter before it returns.
    void resolve(T value) const {
        const auto state = state_;  // the resumed coroutine may destroy this
        if (state->value) return;
        state->value.emplace(std::move(value));
        if (const auto waiter = std::exchange(state->waiter, {})) waiter.resume();
    }
    bool resolved() const { return state_->value.has_value(); }

    class Awaiter {
    public:
        explicit Awaiter(std::shared_ptr<State> state) : state_(std::move(state)) {}
        Awaiter(const Awaiter&) = delete;
        Awaiter& operator=(const Awaiter&) = delete;
        ~Awaiter() { state_->waiter = {}; }
        bool await_ready() const { return state_->value.has_value(); }
        void await_suspend(std::coroutine_handle<> waiter) { state_->waiter = waiter; }
        T await_resume() { return std::move(*state_->value); }

    private:
        std::shared_ptr<State> state_;
    };
    Awaiter operator co_await() const { return Awaiter(state_); }

private:
    std::shared_ptr<State> state_;  // shared: who comes first, resolver or waiter, is open
};

}  // namespace strowger::io
