#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

namespace strowger {

/// A coroutine that starts when awaited and resumes its awaiter when done (one thread, no locks).
///
/// Destroying a Task destroys its frame and everything it awaits, so a service ends a piece of
/// logic by letting go of it. Where logic must be able to clean up, the awaited operation returns
/// an error instead (a channel that was hung up answers every operation with that).
template <typename T = void>
class [[nodiscard]] Task;

namespace detail {

struct TaskPromiseBase {
    std::coroutine_handle<> continuation;
    std::exception_ptr error;

    std::suspend_always initial_suspend() noexcept { return {}; }
    struct FinalAwaiter {
        bool await_ready() noexcept { return false; }
        template <typename Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> done) noexcept {
            const auto next = done.promise().continuation;
            return next ? next : std::noop_coroutine();
        }
        void await_resume() noexcept {}
    };
    FinalAwaiter final_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept { error = std::current_exception(); }
};

template <typename T>
struct TaskPromise : TaskPromiseBase {
    std::optional<T> value;
    Task<T> get_return_object() noexcept;
    template <typename U>
    void return_value(U&& result) {
        value.emplace(std::forward<U>(result));
    }
    T take() {
        if (error) std::rethrow_exception(error);
        return std::move(*value);
    }
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
    Task<void> get_return_object() noexcept;
    void return_void() noexcept {}
    void take() const {
        if (error) std::rethrow_exception(error);
    }
};

}  // namespace detail

template <typename T>
class [[nodiscard]] Task {
public:
    using promise_type = detail::TaskPromise<T>;

    Task() = default;
    explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
    Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    Task& operator=(Task&& other) noexcept {
        if (this != &other) {
            destroy();
            handle_ = std::exchange(other.handle_, {});
        }
        return *this;
    }
    ~Task() { destroy(); }

    auto operator co_await() && noexcept {
        struct Awaiter {
            std::coroutine_handle<promise_type> handle;
            bool await_ready() const noexcept { return false; }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
                handle.promise().continuation = awaiting;
                return handle;
            }
            T await_resume() { return handle.promise().take(); }
        };
        return Awaiter{handle_};
    }

    /// For the owner of a top-level task: run to the first suspension. `done()` afterwards tells.
    void start() { handle_.resume(); }
    bool valid() const { return static_cast<bool>(handle_); }
    bool done() const { return !handle_ || handle_.done(); }

private:
    void destroy() {
        if (handle_) handle_.destroy();
        handle_ = {};
    }

    std::coroutine_handle<promise_type> handle_;
};

namespace detail {

template <typename T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
    return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}

inline Task<void> TaskPromise<void>::get_return_object() noexcept {
    return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}

struct Detached {
    struct promise_type {
        Detached get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }  // a programming error
    };
};

}  // namespace detail

/// Runs a task that nobody waits for; it owns itself until it ends. Only for logic that is sure to
/// end, as in a test: what may still wait when its surroundings go belongs to a TaskScope.
inline void spawn(Task<> task) {
    [](Task<> body) -> detail::Detached { co_await std::move(body); }(std::move(task));
}

/// Owns the tasks that nobody waits for: each ends by itself, or with the scope at the latest.
///
/// So a task may refer to whatever outlives the scope, and nothing is left waiting for an answer
/// that will not come any more. The scope must not be cancelled by one of its own tasks.
class TaskScope {
public:
    TaskScope() = default;
    TaskScope(const TaskScope&) = delete;
    TaskScope& operator=(const TaskScope&) = delete;
    ~TaskScope() { cancel(); }

    /// Runs it to its first suspension. After `cancel` it is let go of without being begun.
    void spawn(Task<> task) {
        if (!cancelled_) (void)run(*this, std::move(task));
    }
    /// Destroys what still waits, the newest first; for good.
    void cancel() {
        cancelled_ = true;
        while (newest_) newest_->handle().destroy();
    }
    bool empty() const { return newest_ == nullptr; }

private:
    struct Running {
        struct promise_type {
            promise_type(TaskScope& owner, Task<>&) : scope(owner), older(owner.newest_) {
                if (older) older->newer = this;
                scope.newest_ = this;
            }
            promise_type(const promise_type&) = delete;
            promise_type& operator=(const promise_type&) = delete;
            ~promise_type() {
                (newer ? newer->older : scope.newest_) = older;
                if (older) older->newer = newer;
            }
            std::coroutine_handle<promise_type> handle() {
                return std::coroutine_handle<promise_type>::from_promise(*this);
            }
            Running get_return_object() noexcept { return {}; }
            std::suspend_never initial_suspend() noexcept { return {}; }
            std::suspend_never final_suspend() noexcept { return {}; }
            void return_void() noexcept {}
            void unhandled_exception() noexcept { std::terminate(); }  // a programming error

            TaskScope& scope;
            promise_type* older;
            promise_type* newer = nullptr;
        };
    };
    static Running run(TaskScope&, Task<> body) { co_await std::move(body); }

    Running::promise_type* newest_ = nullptr;
    bool cancelled_ = false;
};

}  // namespace strowger
