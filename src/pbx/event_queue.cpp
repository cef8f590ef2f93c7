#include "pbx/event_queue.hpp"

#include "pbx/channel.hpp"

namespace strowger::pbx {

void EventQueue::channel_event(Channel& channel, const ChannelEvent& event) {
    // The end of a channel is never dropped: whoever waits must learn of it.
    if (items_.size() >= max_waiting && !std::holds_alternative<channel::HungUp>(event)) return;
    items_.push_back({&channel == self_ ? nullptr : channel.shared_from_this(), event});
    if (!waiter_) return;
    auto* const waiter = std::exchange(waiter_, nullptr);
    waiter->timer_.cancel();
    waiter->handle_.resume();
}

void EventQueue::Next::await_suspend(std::coroutine_handle<> handle) {
    handle_ = handle;
    queue_.waiter_ = this;
    if (deadline_ == Time::max()) return;
    timer_ = queue_.loop_.at(deadline_, [this] {
        queue_.waiter_ = nullptr;
        handle_.resume();
    });
}

std::optional<EventQueue::Item> EventQueue::Next::await_resume() {
    timer_.cancel();
    if (queue_.items_.empty()) return std::nullopt;
    Item item = std::move(queue_.items_.front());
    queue_.items_.pop_front();
    return item;
}

}  // namespace strowger::pbx
