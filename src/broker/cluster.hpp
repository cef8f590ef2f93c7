#pragma once

#include <unordered_map>

#include "broker/shared_store.hpp"
#include "broker/storage.hpp"
#include "broker/submissions.hpp"

namespace strowger::broker {

/// Several brokers with one queue, in Redis.
///
/// What no provider of its own has room for, a broker offers to the others; whoever has a free slot
/// takes it. A broker that is silent for `lease` has lost what it took: it waits again, for any of
/// them. The first result counts, later ones are dropped. To the scheduler all of this is one more
/// provider. While Redis is away each broker works for itself; what was offered is asked about when
/// Redis is back, and run anew where it has forgotten it.
class Cluster final : public Provider, public Submissions {
public:
    static constexpr Duration lease = std::chrono::seconds{10};
    static constexpr Duration beat_interval = std::chrono::seconds{1};
    /// Brokers that may die over one task.
    static constexpr int max_losses = 3;
    /// Tasks taken at once, and bytes of their requests that are enough.
    static constexpr std::size_t max_claimed = 64;
    static constexpr std::size_t max_claimed_bytes = 8 << 20;
    /// Results kept for the time when Redis is back.
    static constexpr std::size_t max_unsent = 4096;

    Cluster(io::Loop& loop, SharedStore& store, Jobs& jobs, Storage::Others& files,
            const Scheduler::Config& config);
    ~Cluster() override;

    void publish_metrics() const;

    /// Gives back what is being run, so that nobody waits for the lease to end.
    void leave(std::function<void()> then);

    const std::string& name() const override { return name_; }
    void run(TaskId task, const google::protobuf::Message& request) override;
    void cancel(TaskId task, std::string_view reason) override;
    void ping() override {}
    void evict(std::string_view) override {}
    void tell(const google::protobuf::Message&) override {}

    void submit(TaskRequest request, const Who& who, Then<std::string> then) override;
    void look(const std::string& id, const Who& who, Then<Standing> then) override;
    void cancel(const std::string& id, const Who& who, Then<void> then) override;

private:
    struct Offered {
        TaskId task;
        Time since;
    };
    struct Claimed {
        std::string home;            // the broker whose client waits, or empty
        std::optional<TaskId> task;  // none yet: its files are being fetched
    };

    void went_up();
    void went_down();
    void beat();
    void beat_soon();
    void beaten(const io::Redis::Reply& reply);
    void room();
    void claim();
    void take(const std::string& id, std::string_view kind, const std::string& tenant,
              std::string home, std::string_view request);
    void start(const std::string& id, TaskRequest request, const std::string& tenant);
    void bring(std::vector<std::string> files, Then<void> then);
    void ended(const std::string& id, std::string result);
    void send_result(const std::string& id);
    void give_back(const std::string& id);
    void collect(const std::string& id);
    void told(std::string_view text);
    void drop_orphans();
    void offer(const std::string& id, const TaskRequest& request, std::string_view home,
               std::size_t most_of_tenant, Then<void> then);

    io::Loop& loop_;
    SharedStore& store_;
    Jobs& jobs_;
    Storage::Others& files_;
    Scheduler::Config config_;
    std::string name_ = "another broker";
    bool joined_ = false, claiming_ = false, waiting_there_ = false, beating_ = false;
    bool leaving_ = false;
    std::size_t told_slots_ = 0;
    std::uint64_t count_ = 0;
    std::unordered_map<std::string, Offered> offered_;  // by common id
    std::unordered_map<TaskId, std::string> offers_;    // the same by our own number
    std::unordered_map<std::string, Claimed> claimed_;
    std::size_t fetching_ = 0;            // of these, without their files yet
    std::vector<std::string> returning_;  // claimed, to be given back when Redis is there again
    std::unordered_map<std::string, std::string> unsent_;  // results, by common id
    std::unordered_map<std::string, Time> seen_;           // brokers: alive then
    io::Timer beat_, soon_, gone_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // asked by answers that come late
};

}  // namespace strowger::broker
