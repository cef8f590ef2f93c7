#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "wire/connect/code.hpp"

namespace strowger::broker {

using TaskId = std::uint64_t;
using ProviderId = std::uint64_t;

/// Which task runs where, and what becomes of those that cannot: the broker's decisions without its
/// sockets.
///
/// Each token has a queue of its own, and those that have something waiting take turns, so nobody
/// waits behind somebody else's ten thousand tasks. Within a queue `priority` goes first. A task
/// goes to a provider with a free slot, rather to one that holds its files and is quick; failing
/// calls and lost providers send it to another one, up to a number of times.
///
/// The owner reports what happens, drains `poll` after each report, and calls `tick` when
/// `deadline` has come. Every task that was accepted ends in exactly one way: the owner reports it
/// `done`, takes it back with `cancel`, or gets one Failed event.
class Scheduler {
public:
    struct Config {
        std::size_t max_waiting = 2048;  ///< tasks of all tokens together
        unsigned max_attempts = 10;      ///< of a task whose call fails
        /// Providers that may vanish under one task: a task that kills what runs it must not take
        /// down the whole cluster.
        unsigned max_losses = 3;
        Duration first_pause = std::chrono::milliseconds{10};  ///< before the second attempt
        Duration longest_pause = std::chrono::seconds{1};
        Duration ping_interval = std::chrono::seconds{5};  ///< after the previous answer
        Duration ping_timeout = std::chrono::seconds{15};  ///< silent this long: evicted
        /// How long a provider may take to end a task that was cancelled, before it is evicted: it
        /// would hold a slot for ever.
        Duration cancel_timeout = std::chrono::seconds{30};
        /// Tasks sent ahead to a provider whose slots are all busy, where a task takes it no longer
        /// than `prefetch_below`: hides the way there and back. As many again may go there from
        /// tokens of which nothing runs anywhere; a provider takes those before the others. A
        /// provider that says how many it wants ahead gets those, unless this is 0.
        unsigned prefetch = 1;
        Duration prefetch_below = std::chrono::milliseconds{50};
        /// A task that takes this many times as long as its program does on average gets a second
        /// copy elsewhere, when a slot is free; 0: never.
        double second_copy = 0;
        Duration longest_task = std::chrono::hours{24};  ///< for those without a deadline
    };
    /// Slots that a provider may claim.
    static constexpr std::uint32_t max_slots = 4096;
    /// Tasks for each of them that it may want ahead.
    static constexpr std::uint32_t max_ahead = 16;
    /// Runs of a program that are measured before a task counts as late, and the shortest time that
    /// does: a pause of the machine is no reason.
    static constexpr unsigned measured_after = 3;
    static constexpr Duration shortest_late = std::chrono::milliseconds{100};
    static constexpr std::size_t max_programs = 4096;  ///< whose mean time is remembered
    /// Files remembered of one provider; placement does worse beyond it, nothing else.
    static constexpr std::size_t max_files = 16384;

    /// What a token may do at once; 0: no limit.
    struct Quota {
        std::size_t waiting = 0;  ///< tasks in the queue
        std::size_t running = 0;  ///< tasks at providers
    };
    struct Submission {
        TaskId id = 0;
        std::string tenant;  ///< the token's name
        Quota quota = {};
        bool priority = false;
        bool immediate = false;  ///< fail rather than wait
        bool stays = false;      ///< came from another broker: not passed on again
        bool portable = false;   ///< may run in a cloud's function
        std::optional<Time> deadline = {};
        std::vector<std::string> files = {};  ///< refs that its provider needs, the program first
    };

    struct Dispatch {  ///< send it; then `done` or `failed`, unless the provider leaves first
        TaskId task;
        ProviderId provider;
        bool first = false;  ///< before those that were sent ahead, and have not begun
    };
    struct Cancel {  ///< tell the provider; it still answers, with `done` or `failed`
        TaskId task;
        ProviderId provider;
        std::string reason;
    };
    struct Failed {  ///< the task is over, without a result
        TaskId task;
        connect::Code code;
        std::string text;
    };
    struct Ping {
        ProviderId provider;
    };
    struct Evict {  ///< it has left already: close its connection
        ProviderId provider;
        std::string reason;
    };
    using Event = std::variant<Dispatch, Cancel, Failed, Ping, Evict>;

    Scheduler(Config config, Random& random) : config_(config), random_(random) {}

    /// The error's code is a connect::Code; the task has then never existed.
    Result<> submit(Submission submission, Time now);
    /// Nobody waits for it any more. No Failed follows; false when there is no such task.
    bool cancel(TaskId task, std::string_view reason, Time now);

    /// A provider is known but gets nothing until it is `ready` and has slots.
    void joined(ProviderId provider, Time now);
    /// The other brokers, as one provider: gets what no provider of ours has room for, is not
    /// pinged or counted, and its leaving is no fault of the tasks.
    void joined_elsewhere(ProviderId provider, Time now);
    /// A cloud's functions, as one provider: gets what neither providers nor brokers have room for,
    /// is not pinged or counted, but may fail a task like any provider.
    void joined_cloud(ProviderId provider, Time now);
    void ready(ProviderId provider, Time now);
    /// `ahead`: tasks beyond its slots that it wants to have, because they are short.
    void slots(ProviderId provider, std::uint32_t count, Time now, std::uint32_t ahead = 0);
    void holds(ProviderId provider, std::string_view file, bool held);
    /// Anything at all came from it.
    void heard(ProviderId provider, Time now);
    /// Its connection ended; what ran there goes elsewhere.
    void left(ProviderId provider, Time now);

    /// A result came, good or bad: the task is over. False when the task was no longer waited for,
    /// so that nothing is reported twice.
    bool done(TaskId task, ProviderId provider, Time now);
    /// A result came, and another provider is to run it too: goes back to the front of its queue,
    /// and never again to those that have. False as for `done`.
    bool again(TaskId task, ProviderId provider, Time now);
    /// The call failed before the program ran: another provider may do better. Once attempts or
    /// providers are used up, Failed follows with this code and text.
    void failed(TaskId task, ProviderId provider, connect::Code code, std::string text, Time now);

    void tick(Time now);
    Time deadline() const;
    bool poll(Event& event);

    std::size_t waiting() const { return waiting_; }
    std::size_t running() const { return tasks_.size() - waiting_; }
    std::size_t providers() const { return ready_count_; }
    std::size_t total_slots() const { return total_slots_; }
    bool is_running(TaskId task) const;
    bool runs_at(TaskId task, ProviderId provider) const;
    std::uint64_t copies() const { return copies_; }  ///< second ones that were begun
    std::size_t spare() const;                        ///< slots that are free now
    bool elsewhere(ProviderId provider) const;        ///< whether it is the other brokers
    bool cloud(ProviderId provider) const;
    std::size_t cloud_slots() const { return cloud_slots_; }
    bool known(TaskId task) const { return tasks_.contains(task); }
    /// Tasks tried again, by how often: the first retries of all tasks, the second ones …
    std::span<const std::uint64_t> retries() const { return retries_; }

private:
    struct Tenant;
    struct Provider;
    struct Task {
        TaskId id;
        Tenant* tenant;
        bool priority = false, immediate = false, stays = false, portable = false;
        Time deadline;
        std::vector<std::uint64_t> files;  // hashes of refs
        enum class State { queued, paused, running } state = State::queued;
        std::list<Task*>::iterator place;  // while queued
        ProviderId provider = 0;           // while running
        ProviderId copy = 0;               // that runs it, too
        Time late = Time::max();           // when it may get one
        Time begun{}, wake{};
        unsigned attempts = 0, losses = 0;
        std::vector<ProviderId> tried;
        std::vector<ProviderId> heard;  // whose results are there
        bool runs_at(ProviderId id) const {
            return state == State::running && (provider == id || (copy && copy == id));
        }
    };
    struct Program {
        double mean = 0;  // seconds, moving
        unsigned runs = 0;
    };
    struct Tenant {
        std::string name;
        Quota quota;
        std::array<std::list<Task*>, 2> queues;  // priority, then the rest
        std::size_t waiting = 0, running = 0;    // paused tasks are waiting
        bool in_ring = false;
        std::uint64_t turn = 0;  // when it had its last one, by turns_
        bool empty() const { return queues[0].empty() && queues[1].empty(); }
    };
    struct Provider {
        ProviderId id = 0;
        bool ready = false, elsewhere = false;  // not ours, for two kinds of reasons
        bool cloud = false;
        std::uint32_t slots = 0, ahead = 0;
        std::map<TaskId, Time> running;  // with those cancelled: when that was
        double mean = 0;                 // seconds a task, moving
        bool measured = false;
        std::vector<std::uint64_t> files;  // in order
        bool pinged = false;
        Time last_heard{}, timer{};
        std::size_t in_free = none, in_ahead = none, in_crowded = none, in_elsewhere = none;
    };
    static constexpr std::size_t none = ~std::size_t{0};

    void enqueue(Task& task, bool at_front);
    void dequeue(Task& task);
    void dispatch(Time now);
    static bool may_run(const Task& task, const Provider& provider);
    bool place_one(Tenant& tenant, Time now);
    Provider* place(const Task& task);
    Provider* choose(const Task& task, std::vector<Provider*>& among);
    double cost(const Task& task, const Provider& provider) const;
    void start(Task& task, Provider& provider, Time now);
    void release(Provider& provider, TaskId task, Time now, bool measure);
    void relist(Provider& provider);
    void list(std::vector<Provider*>& where, std::size_t Provider::* place, Provider& provider,
              bool wanted);
    void put_back(Task& task);
    bool lose_copy(Task& task, ProviderId provider);
    void expect(Task& task, Time now);
    void begin_copy(Task& task, Time now);
    void learn(const Task& task, double took);
    void retry(Task& task, connect::Code code, std::string text, Time now, bool lost);
    void fail_task(Task& task, connect::Code code, std::string text);
    void forget(Task& task);
    void drop(Provider& provider, std::string_view why, Time now);
    void set_timer(Provider& provider, Time when);
    void provider_timer(Provider& provider, Time now);
    void task_timer(Task& task, Time now);
    void tell_running_cancelled(Task& task, std::string_view reason, Time now);
    bool all_tried(const Task& task) const;

    Config config_;
    Random& random_;
    std::unordered_map<TaskId, Task> tasks_;
    std::unordered_map<std::string, Tenant> tenants_;
    std::deque<Tenant*> ring_;  // tenants with something queued, in turn
    std::uint64_t turns_ = 0;   // that any of them had
    std::unordered_map<ProviderId, Provider> providers_;
    // With a free slot; with room ahead, or only for those who have nothing anywhere; brokers.
    std::vector<Provider*> free_, ahead_, crowded_, elsewhere_;
    std::set<std::pair<Time, TaskId>> task_timers_;
    std::set<std::pair<Time, ProviderId>> provider_timers_;
    std::deque<Event> events_;
    std::size_t waiting_ = 0, ready_count_ = 0, total_slots_ = 0, cloud_slots_ = 0;
    std::vector<std::uint64_t> retries_ = std::vector<std::uint64_t>(config_.max_attempts);
    std::uint64_t copies_ = 0;
    std::unordered_map<std::uint64_t, Program> programs_;  // by the hash of the ref
};

}  // namespace strowger::broker
