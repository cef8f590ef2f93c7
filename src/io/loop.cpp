#include "io/loop.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <csignal>

#include "base/log.hpp"
#include "io/clock.hpp"
#include "io/loop_impl.hpp"

namespace strowger::io {

namespace {

namespace asio = boost::asio;

constexpr log::About about{"io"};

// The loop wakes at least this often; nothing depends on it.
constexpr Duration longest_idle = std::chrono::seconds{10};

// Timers that set themselves anew for now must not keep the sockets waiting.
constexpr int max_timers_a_round = 1000;

// Nor must functions that queue themselves again for the end of the round.
constexpr int max_round_ends = 8;

bool earlier(const TimerNode* a, const TimerNode* b) {
    return a->when != b->when ? a->when < b->when : a->order < b->order;
}

}  // namespace

// --- timers: a binary heap whose nodes know their place

void Loop::Impl::place(TimerNode* node, std::size_t index) {
    heap[index] = node;
    node->index = index;
}

void Loop::Impl::sift_up(std::size_t index) {
    TimerNode* node = heap[index];
    while (index > 0) {
        const auto parent = (index - 1) / 2;
        if (!earlier(node, heap[parent])) break;
        place(heap[parent], index);
        index = parent;
    }
    place(node, index);
}

void Loop::Impl::sift_down(std::size_t index) {
    TimerNode* node = heap[index];
    for (;;) {
        auto child = 2 * index + 1;
        if (child >= heap.size()) break;
        if (child + 1 < heap.size() && earlier(heap[child + 1], heap[child])) ++child;
        if (!earlier(heap[child], node)) break;
        place(heap[child], index);
        index = child;
    }
    place(node, index);
}

TimerNode* Loop::Impl::add_timer(Time when, std::move_only_function<void()> fn) {
    if (free_nodes.empty()) {
        nodes.push_back(std::make_unique<TimerNode>());
        free_nodes.push_back(nodes.back().get());
    }
    TimerNode* node = free_nodes.back();
    free_nodes.pop_back();
    node->when = when;
    node->order = next_order++;
    node->fn = std::move(fn);
    heap.push_back(node);
    sift_up(heap.size() - 1);
    return node;
}

void Loop::Impl::remove_timer(TimerNode* node) {
    const auto index = node->index;
    TimerNode* last = heap.back();
    heap.pop_back();
    if (last != node) {
        place(last, index);
        sift_up(index);
        sift_down(last->index);
    }
    node->owner = nullptr;
    // What the function holds may, in going, cancel other timers: let it go last.
    const auto fn = std::move(node->fn);
    node->fn = nullptr;
    free_nodes.push_back(node);
}

void Loop::Impl::run_due_timers(Loop& loop) {
    for (int i = 0; i < max_timers_a_round && !heap.empty(); ++i) {
        TimerNode* node = heap.front();
        if (node->when > loop.now()) break;
        auto fn = std::move(node->fn);
        node->fn = nullptr;
        if (node->owner) node->owner->node_ = nullptr;
        remove_timer(node);
        fn();
    }
}

Timer::Timer(Loop* loop, TimerNode* node) : loop_(loop), node_(node) { node_->owner = this; }

Timer::Timer(Timer&& other) noexcept
    : loop_(other.loop_), node_(std::exchange(other.node_, nullptr)) {
    if (node_) node_->owner = this;
}

Timer& Timer::operator=(Timer&& other) noexcept {
    if (this == &other) return *this;
    cancel();
    loop_ = other.loop_;
    node_ = std::exchange(other.node_, nullptr);
    if (node_) node_->owner = this;
    return *this;
}

void Timer::cancel() {
    if (TimerNode* node = std::exchange(node_, nullptr)) loop_->impl_->remove_timer(node);
}

// --- the loop

Loop::Loop() : impl_(std::make_unique<Impl>()) {
    // A peer that closes must be an error of write, not the end of the process.
    std::signal(SIGPIPE, SIG_IGN);
}

Loop::~Loop() {
    impl_->kept.clear();  // while their timers and descriptors can still be given back
    for (TimerNode* node : impl_->heap)
        if (node->owner) node->owner->node_ = nullptr;
}

Time Loop::now() {
    if (!impl_->now_valid) {
        impl_->now = monotonic_now();
        impl_->now_valid = true;
    }
    return impl_->now;
}

Timer Loop::at(Time when, std::move_only_function<void()> fn) {
    return {this, impl_->add_timer(when, std::move(fn))};
}

void Loop::post(std::move_only_function<void()> fn) { asio::post(impl_->context, std::move(fn)); }

void Loop::at_round_end(std::move_only_function<void()> fn) {
    impl_->round_end.push_back(std::move(fn));
}

// What these functions queue in turn (a response, then the datagram it is sent in) still belongs to
// this round, else each step would cost another look at the sockets.
void Loop::Impl::end_round() {
    for (int i = 0; i < max_round_ends && !round_end.empty(); ++i) {
        std::swap(round_end, round_end_running);
        for (auto& fn : round_end_running) fn();
        round_end_running.clear();
    }
}

// One wait, and at most one completion of Asio's: its run_one goes on with what a wait has found
// before it waits again, so a round costs one epoll_wait, and what a handler queued leaves at once.
void Loop::Impl::round(Loop& loop, Duration longest_wait) {
    end_round();
    Duration wait = round_end.empty() ? longest_wait : Duration::zero();
    if (!heap.empty()) wait = std::clamp(heap.front()->when - loop.now(), Duration::zero(), wait);
    now_valid = false;
    if (wait == Duration::zero())
        context.poll_one();
    else
        context.run_one_for(wait);
    now_valid = false;
    run_due_timers(loop);
}

void Loop::run() {
    while (!impl_->stopped.exchange(false)) impl_->round(*this, longest_idle);
    impl_->end_round();
}

bool Loop::run_until(const std::function<bool()>& done, Duration limit) {
    const Time end = monotonic_now() + limit;
    while (!done()) {
        const Time current = monotonic_now();
        if (current >= end) return false;
        impl_->round(*this, std::min(longest_idle, end - current));
    }
    impl_->end_round();
    return true;
}

void Loop::stop() {
    impl_->stopped = true;
    asio::post(impl_->context, [] {});
}

void Loop::Impl::wait_signal(std::shared_ptr<Signal> signal) {
    auto& set = signal->set;
    set.async_wait([signal = std::move(signal)](boost::system::error_code error, int number) {
        if (error || !signal->fn) return;
        const auto fn = signal->fn;  // it may replace itself
        fn(number);
        if (signal->fn) wait_signal(signal);
    });
}

void Loop::on_signal(int number, std::function<void(int)> fn) {
    auto& slot = impl_->signals[number];
    if (slot && fn) {
        slot->fn = std::move(fn);
        return;
    }
    if (slot) {
        slot->fn = nullptr;
        slot->set.clear();
        slot->set.cancel();
    }
    impl_->signals.erase(number);
    if (!fn) return;
    auto signal = std::make_shared<Impl::Signal>(impl_->context, number);
    signal->fn = std::move(fn);
    impl_->signals[number] = signal;
    Impl::wait_signal(signal);
}

// --- readiness

struct Watch::State {
    State(asio::io_context& context, int fd) : descriptor(context) {
        boost::system::error_code error;
        descriptor.assign(fd, error);
        if (error) LOG_ERROR(about, "descriptor {} cannot be watched: {}", fd, error.message());
    }

    struct Direction {
        std::function<void()> fn;
        bool waiting = false;
        bool replaced = false;  // while its function runs
        bool running = false;
    };

    // Smaller than with an executor of any kind; there are as many as there are connections.
    asio::posix::basic_stream_descriptor<asio::io_context::executor_type> descriptor;
    bool alive = true;
    Direction read, write;

    static void arm(const std::shared_ptr<State>& state, Direction State::* which) {
        Direction& direction = (*state).*which;
        if (!state->alive || direction.waiting || direction.running || !direction.fn) return;
        if (!state->descriptor.is_open()) return;
        direction.waiting = true;
        const auto kind = which == &State::read ? asio::posix::descriptor_base::wait_read
                                                : asio::posix::descriptor_base::wait_write;
        state->descriptor.async_wait(kind, [state, which](boost::system::error_code error) {
            Direction& ready = (*state).*which;
            ready.waiting = false;
            if (error || !state->alive || !ready.fn) return;
            // The function may replace itself or destroy the Watch: it runs outside its place.
            auto fn = std::move(ready.fn);
            ready.replaced = false;
            ready.running = true;
            fn();
            ready.running = false;
            if (!state->alive) return;
            if (!ready.replaced) ready.fn = std::move(fn);
            arm(state, which);
        });
    }

    static void set(const std::shared_ptr<State>& state, Direction State::* which,
                    std::function<void()> fn) {
        Direction& direction = (*state).*which;
        direction.replaced = true;
        direction.fn = std::move(fn);
        arm(state, which);
    }
};

Watch::Watch(Loop& loop, int fd) : state_(std::make_shared<State>(loop.impl().context, fd)) {}

Watch::~Watch() {
    state_->alive = false;
    if (state_->descriptor.is_open()) state_->descriptor.release();
}

void Watch::on_readable(std::function<void()> fn) {
    State::set(state_, &State::read, std::move(fn));
}
void Watch::on_writable(std::function<void()> fn) {
    State::set(state_, &State::write, std::move(fn));
}

}  // namespace strowger::io
