#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <map>

#include "io/loop.hpp"

namespace strowger::io {

struct TimerNode {
    Time when;
    std::uint64_t order = 0;  // equal deadlines fire in the order they were set
    std::size_t index = 0;    // in the heap
    std::move_only_function<void()> fn;
    Timer* owner = nullptr;
};

/// The inside of a Loop, for the files of io that speak to Asio themselves.
struct Loop::Impl {
    boost::asio::io_context context{1};  // one thread runs it; posting from others stays safe
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
        context.get_executor()};

    Time now{};
    bool now_valid = false;
    std::atomic<bool> stopped{false};

    std::vector<TimerNode*> heap;
    std::vector<std::unique_ptr<TimerNode>> nodes;  // all ever made, for reuse
    std::vector<TimerNode*> free_nodes;
    std::uint64_t next_order = 0;

    std::vector<std::move_only_function<void()>> round_end;
    std::vector<std::move_only_function<void()>> round_end_running;

    struct Signal {
        explicit Signal(boost::asio::io_context& context, int number) : set(context, number) {}
        boost::asio::signal_set set;
        std::function<void(int)> fn;
    };
    std::map<int, std::shared_ptr<Signal>> signals;

    // Objects that nobody else owns until they end (streams that flush and close).
    std::map<const void*, std::shared_ptr<void>> kept;

    TimerNode* add_timer(Time when, std::move_only_function<void()> fn);
    void remove_timer(TimerNode* node);
    void run_due_timers(Loop& loop);
    void round(Loop& loop, Duration longest_wait);
    void end_round();
    static void wait_signal(std::shared_ptr<Signal> signal);
    void sift_up(std::size_t index);
    void sift_down(std::size_t index);
    void place(TimerNode* node, std::size_t index);
};

}  // namespace strowger::io
