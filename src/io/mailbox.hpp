#pragma once

#include <atomic>
#include <optional>
#include <utility>

#include "io/wake.hpp"

namespace strowger::io {

/// Messages to one thread from any number of others: an unbounded linked queue without locks, and a
/// Wake. Messages of one sender arrive in its order. Bounding them is the senders' affair.
template <typename Message>
class Mailbox {
public:
    Mailbox() : newest_(new Node), oldest_(newest_.load(std::memory_order_relaxed)) {}
    ~Mailbox() {
        while (oldest_)
            delete std::exchange(oldest_, oldest_->next.load(std::memory_order_acquire));
    }
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    /// From any thread.
    void post(Message message) {
        put(std::move(message));
        wake();
    }

    /// From any thread: a message that may wait for those after it, until `wake`.
    void put(Message message) {
        Node* node = new Node;
        node->message.emplace(std::move(message));
        Node* before = newest_.exchange(node, std::memory_order_acq_rel);
        before->next.store(node, std::memory_order_release);
    }
    void wake() { wake_.wake(); }

    /// By the owner, when `fd` is readable; then `take` until empty.
    void acknowledge() { wake_.acknowledge(); }

    /// By the owner: something waits, whether it has been woken for it or not.
    bool any() const { return oldest_->next.load(std::memory_order_acquire) != nullptr; }

    std::optional<Message> take() {
        Node* next = oldest_->next.load(std::memory_order_acquire);
        if (!next) return std::nullopt;
        std::optional<Message> message = std::move(next->message);
        next->message.reset();
        delete std::exchange(oldest_, next);
        return message;
    }

    int fd() const { return wake_.fd(); }

private:
    struct Node {
        std::atomic<Node*> next = nullptr;
        std::optional<Message> message;
    };

    Wake wake_;
    std::atomic<Node*> newest_;
    Node* oldest_;  ///< its message has been taken; it only holds the place
};

}  // namespace strowger::io
