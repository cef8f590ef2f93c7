#pragma once

#include <coroutine>
#include <deque>
#include <memory>
#include <optional>

#include "io/loop.hpp"
#include "pbx/channel_event.hpp"

namespace strowger::pbx {

/// Events of one or several channels, in order, for one coroutine that waits for them.
class EventQueue final : public ChannelListener {
public:
    /// A phone that floods us with digits must not fill the memory; what exceeds is dropped.
    static constexpr std::size_t max_waiting = 256;

    struct Item {
        std::shared_ptr<Channel> channel;  ///< whose event it is; null in a channel's own inbox
        ChannelEvent event;
    };

    explicit EventQueue(io::Loop& loop) : loop_(loop) {}
    EventQueue(const EventQueue&) = delete;
    EventQueue& operator=(const EventQueue&) = delete;

    void channel_event(Channel& channel, const ChannelEvent& event) override;
    bool empty() const { return items_.empty(); }
    void clear() { items_.clear(); }

    /// `co_await queue.next(deadline)`: the next event, or nothing once the deadline has come.
    class Next {
    public:
        Next(EventQueue& queue, Time deadline) : queue_(queue), deadline_(deadline) {}
        Next(const Next&) = delete;
        Next& operator=(const Next&) = delete;
        ~Next() {
            if (queue_.waiter_ == this) queue_.waiter_ = nullptr;
        }
        bool await_ready() const {
            return !queue_.items_.empty() || deadline_ <= queue_.loop_.now();
        }
        void await_suspend(std::coroutine_handle<> handle);
        std::optional<Item> await_resume();

    private:
        friend class EventQueue;
        EventQueue& queue_;
        Time deadline_;
        io::Timer timer_;
        std::coroutine_handle<> handle_;
    };
    Next next(Time deadline) { return {*this, deadline}; }

private:
    io::Loop& loop_;
    std::deque<Item> items_;
    Next* waiter_ = nullptr;
};

}  // namespace strowger::pbx
