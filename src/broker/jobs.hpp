#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>

#include "base/metrics.hpp"
#include "broker/access.hpp"
#include "broker/scheduler.hpp"
#include "broker/storage.hpp"
#include "io/loop.hpp"
#include "wire/wasimoff/envelope.hpp"

namespace strowger::broker {

namespace pb = wasimoff::pb;

using TaskRequest = std::variant<pb::Task_Wasip1_Request, pb::Task_Pyodide_Request>;
using TaskResponse = std::variant<pb::Task_Wasip1_Response, pb::Task_Pyodide_Response>;

std::unexpected<Error> refuse(connect::Code code, std::string text);
/// What an error of a submission or a task says; `unknown` for those without one.
connect::Code code_of(const Error& error);

class Opinions;
class ResultCache;

/// A provider as the jobs see it: something that takes messages.
class Provider {
public:
    virtual ~Provider() = default;
    virtual const std::string& name() const = 0;
    virtual void run(TaskId task, const google::protobuf::Message& request) = 0;
    virtual void cancel(TaskId task, std::string_view reason) = 0;
    virtual void ping() = 0;
    virtual void evict(std::string_view reason) = 0;
    virtual void tell(const google::protobuf::Message& event) = 0;
};

/// The tasks that clients wait for: checked, numbered, given to the scheduler, sent to the provider
/// that it names, and answered once.
class Jobs {
public:
    /// The response as its client gets it, or an Error with a connect::Code.
    using Finished = std::move_only_function<void(Result<TaskResponse>)>;
    /// What a task wrote while it ran; and whether it began anew, at another provider.
    using Output = std::function<void(const pb::Event_TaskOutput&, bool again)>;
    static constexpr std::size_t max_output = 1 << 20;  ///< of one task; the rest is in its result
    /// Programs that only the one that runs them can find wrong: how many providers must say the
    /// same before it is believed.
    static constexpr std::size_t believed_after = 2;
    /// Results that a provider may give and be outvoted on, before it is sent away.
    static constexpr unsigned max_outvoted = 3;

    /// `cached`: bytes of results kept for tasks that are declared deterministic; `agreement`: how
    /// many providers must give the same result for one of these.
    Jobs(io::Loop& loop, Scheduler::Config config, Storage& storage, Access& access,
         std::size_t cached = 0, std::size_t agreement = 1);
    ~Jobs();

    /// Looks for the files of a request at other brokers, where they are not known here. `then`
    /// comes at once when there is nothing to look for.
    void find_files(TaskRequest request, std::move_only_function<void(TaskRequest)> then);
    /// `finished` is called later, once, unless `cancel` came first.
    /// `output` may come before, from providers that tell; not where several must agree.
    Result<TaskId> submit(TaskRequest request, const Who& who, Finished finished,
                          Output output = nullptr);
    /// What a client of another broker submitted there, and that one has checked.
    Result<TaskId> take_over(TaskRequest request, const std::string& tenant, Finished finished);
    /// Finds the files of a request and takes it off the token's rate, as `submit` does.
    Result<> admit(TaskRequest& request, const Who& who);
    void cancel(TaskId task, std::string_view reason);
    /// By a client that knows its number: only its own, unless it is an admin. The client that
    /// waits gets `canceled`.
    Result<> cancel_by_id(TaskId task, const Who& who);

    void joined(ProviderId id, Provider& provider);
    /// The other brokers, see Scheduler.
    void joined_elsewhere(ProviderId id, Provider& provider);
    /// A cloud's functions, see Scheduler.
    void joined_cloud(ProviderId id, Provider& provider);
    void ready(ProviderId id);
    void left(ProviderId id);
    void slots(ProviderId id, std::uint32_t count, std::uint32_t ahead = 0);
    void holds(ProviderId id, std::string_view file, bool held);
    void heard(ProviderId id);
    void wrote(ProviderId id, TaskId task, pb::Event_TaskOutput output);
    void answered(ProviderId id, TaskId task, const wasimoff::Envelope& envelope);
    /// Another broker has given it up for good.
    void given_up(ProviderId id, TaskId task, Error error);
    /// It came back from another broker undone.
    void came_back(ProviderId id, TaskId task, std::string why);
    /// Called when slots are free after something happened.
    void on_room(std::function<void()> fn) { room_ = std::move(fn); }
    bool running(TaskId task) const { return scheduler_.is_running(task); }
    std::size_t spare() const { return scheduler_.spare(); }
    std::size_t total_slots() const { return scheduler_.total_slots(); }

    struct Listed {
        TaskId id;
        std::string requester, provider, reference, program;
        double seconds;
    };
    std::vector<Listed> list(const Who& who) const;  ///< one's own, or all for an admin

    std::size_t providers() const { return scheduler_.providers(); }
    Storage& storage() { return storage_; }
    void publish_metrics();

private:
    struct Job {
        TaskRequest request;
        Finished finished;
        std::string tenant;
        std::string cache_key;                    // of one whose result may be kept
        std::shared_ptr<Opinions> opinions = {};  // of one that several must agree on
        Output output = nullptr;
        ProviderId writer = 0;    // whose output was told
        std::size_t written = 0;  // of it
        bool in_cloud = false;    // where it was sent last
        Time submitted{}, dispatched{};
        std::vector<std::string> failures;
    };

    Result<> resolve(TaskRequest& request);
    Result<TaskId> enter(TaskRequest request, Scheduler::Submission submission,
                         const std::string& tenant, Finished finished, Output output = nullptr);
    void pump();
    void handle(Scheduler::Event& event);
    void finish(TaskId task, Result<TaskResponse> result);
    bool believed(Job& job, ProviderId provider, const std::string& text) const;
    void judge(ProviderId provider, TaskId task, TaskResponse response);
    void outvoted(ProviderId provider, TaskId task);
    void answer_from(const TaskResponse& kept, TaskId task);
    void tick();
    void arm();
    void expect_news();
    wasimoff::pb::Event_ClusterInfo cluster() const;
    void tell_everybody();
    void throughput();

    io::Loop& loop_;
    Random random_ = Random::system();
    Scheduler scheduler_;
    Storage& storage_;
    Access& access_;
    std::unique_ptr<ResultCache> cache_;
    std::unordered_map<TaskId, Job> jobs_;
    std::unordered_map<ProviderId, Provider*> providers_;
    std::size_t agreement_;
    std::unordered_map<ProviderId, unsigned> outvoted_;
    std::function<void()> room_;
    TaskId last_ = 0;
    bool pumping_ = false;
    io::Timer timer_, news_;
    Time armed_ = Time::max();
    std::size_t told_providers_ = 0;
    // Tasks that ended in each of the last seconds, the newest last.
    std::deque<std::uint64_t> ended_;
    std::uint64_t ended_now_ = 0;
    float told_throughput_ = 0;

    struct Figures;
    std::shared_ptr<Figures> figures_;
};

}  // namespace strowger::broker
