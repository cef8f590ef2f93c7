#include "broker/jobs.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "base/text.hpp"
#include "broker/opinions.hpp"
#include "broker/result_cache.hpp"
#include "broker/task_codec.hpp"
#include "broker/trace.hpp"
#include "io/clock.hpp"

namespace strowger::broker {

namespace {

using connect::Code;
using Event = pb::Task_TraceEvent;

constexpr log::About about{"broker"};
// Counts of providers and tasks are told at most this often: each goes to every provider.
constexpr Duration news_interval = std::chrono::seconds{1};
constexpr std::size_t throughput_window = 5;  // seconds
// Texts kept to recognise an error that comes again.
constexpr std::size_t longest_kept = 512;

Result<> resolve_file(pb::File& file, Storage& storage, std::string_view what) {
    if (file.has_ref() == file.has_blob())
        return refuse(Code::invalid_argument,
                      fmt::format("{}: exactly one of ref and blob is needed", what));
    if (file.has_blob()) return {};
    const auto found = storage.find(file.ref());
    if (!found)
        return refuse(Code::not_found, fmt::format("{}: file not found: {}", what, file.ref()));
    file.set_ref(found->ref);
    return {};
}

std::string program_of(const TaskRequest& request) {
    if (const auto* wasip1 = std::get_if<pb::Task_Wasip1_Request>(&request))
        return wasip1->params().binary().has_ref() ? wasip1->params().binary().ref()
                                                   : "(sent along)";
    return "(Python)";
}

std::optional<Time> deadline_of(const pb::Task_QoS& qos, Time now) {
    if (!qos.has_deadline()) return std::nullopt;
    // A timestamp may lie thousands of years away, which nanoseconds cannot hold.
    constexpr std::int64_t furthest = 366LL * 24 * 3600;
    const auto wall = io::wall_now().time_since_epoch();
    const auto whole = std::chrono::floor<std::chrono::seconds>(wall);
    const auto ahead = std::clamp<std::int64_t>(qos.deadline().seconds(), whole.count() - furthest,
                                                whole.count() + furthest) -
                       whole.count();
    return now + std::chrono::seconds(ahead) + Duration(qos.deadline().nanos()) - (wall - whole);
}

}  // namespace

std::unexpected<Error> refuse(Code code, std::string text) {
    return std::unexpected(Error(std::move(text), static_cast<int>(code)));
}

Code code_of(const Error& error) {
    const int code = error.code();
    return code >= 1 && code <= 16 ? static_cast<Code>(code) : Code::unknown;
}

struct Jobs::Figures {
    std::vector<double> bounds{.01, .1, .25, 1, 5, 10, 60, 120, 300};
    metrics::Registry& all = metrics::Registry::global();
    static constexpr std::string_view completed_help = "Seconds from a task's arrival to its end";
    static constexpr std::string_view execution_help = "Seconds that a task was at its provider";
    /// Where tasks run: at a provider, or in the cloud.
    struct Target {
        std::array<metrics::Histogram*, 2> completed, execution;  // err, ok
        metrics::Histogram* scheduled;
    };
    Target target(const std::string& name) {
        const auto histogram = [&](std::string_view what, std::string_view help, bool ok) {
            return &all.histogram(what, help, bounds,
                                  {{"status", ok ? "ok" : "err"}, {"target", name}});
        };
        constexpr std::string_view completed = "wasimoff_tasks_completed";
        constexpr std::string_view execution = "wasimoff_tasks_execution";
        return {
            {histogram(completed, completed_help, false),
             histogram(completed, completed_help, true)},
            {histogram(execution, execution_help, false),
             histogram(execution, execution_help, true)},
            &all.histogram("wasimoff_tasks_scheduled", "Seconds that a task waited for a provider",
                           bounds, {{"target", name}})};
    }
    std::array<Target, 2> targets{target("provider"), target("cloud")};
    metrics::Counter& retry(std::size_t number) {
        return all.counter("wasimoff_task_retries_count", "Attempts after a failed one",
                           {{"attempt", fmt::format("{}", number)}});
    }
    metrics::Counter& kept =
        all.counter("wasimoff_tasks_kept", "Tasks answered with a result that was kept");
    metrics::Counter& outvoted =
        all.counter("wasimoff_results_outvoted", "Results that other providers did not agree with");
    metrics::Gauge& copies =
        all.gauge("wasimoff_second_copies", "Second copies begun of tasks that were late");
    metrics::Gauge& queued = all.gauge("wasimoff_tasks_queued", "Tasks that wait for a provider");
    metrics::Gauge& dispatching = all.gauge("wasimoff_tasks_dispatching", "Tasks at providers");
    metrics::Gauge& providers =
        all.gauge("wasimoff_connected_providers", "Providers that take tasks");
    metrics::Gauge& workers =
        all.gauge("wasimoff_available_workers", "Slots of all providers", {{"type", "providers"}});
    metrics::Gauge& in_cloud =
        all.gauge("wasimoff_available_workers", "Slots of all providers", {{"type", "cloud"}});
    metrics::Gauge& stored = all.gauge("wasimoff_stored_bytes", "Bytes of all stored files");
};

Jobs::Jobs(io::Loop& loop, Scheduler::Config config, Storage& storage, Access& access,
           std::size_t cached, std::size_t agreement)
    : loop_(loop),
      scheduler_(config, random_),
      storage_(storage),
      access_(access),
      cache_(std::make_unique<ResultCache>(cached)),
      agreement_(agreement),
      figures_(std::make_shared<Figures>()) {}

Jobs::~Jobs() = default;

// --- clients

Result<> Jobs::resolve(TaskRequest& request) {
    const auto add = [&](pb::File& file, std::string_view what) {
        return resolve_file(file, storage_, what);
    };
    if (auto* wasip1 = std::get_if<pb::Task_Wasip1_Request>(&request)) {
        if (!wasip1->has_params()) return refuse(Code::invalid_argument, "params are absent");
        auto& params = *wasip1->mutable_params();
        if (!params.has_binary()) return refuse(Code::invalid_argument, "params.binary is absent");
        if (auto done = add(*params.mutable_binary(), "binary"); !done) return done;
        if (params.has_rootfs()) return add(*params.mutable_rootfs(), "rootfs");
        return {};
    }
    auto& pyodide = std::get<pb::Task_Pyodide_Request>(request);
    if (!pyodide.has_params()) return refuse(Code::invalid_argument, "params are absent");
    auto& params = *pyodide.mutable_params();
    if (!params.has_script() && !params.has_pickle())
        return refuse(Code::invalid_argument, "params have neither script nor pickle");
    if (params.has_rootfs()) return add(*params.mutable_rootfs(), "rootfs");
    return {};
}

void Jobs::find_files(TaskRequest request, std::move_only_function<void(TaskRequest)> then) {
    auto* others = storage_.others();
    std::string unknown;
    if (others)
        for (const auto& file : files_of(request))
            if (!storage_.find(file)) unknown = file;
    if (unknown.empty()) return then(std::move(request));
    // Of two that are unknown one is refused anyway.
    others->find(unknown, [request = std::make_shared<TaskRequest>(std::move(request)),
                           then = std::make_shared<decltype(then)>(std::move(then))] {
        (*then)(std::move(*request));
    });
}

Result<> Jobs::admit(TaskRequest& request, const Who& who) {
    trace(info_of(request), Event::BrokerReceivedClientRequest);
    if (auto done = resolve(request); !done) return done;
    if (!access_.take(who, loop_.now()))
        return refuse(Code::resource_exhausted, "429: too many tasks a second for this token");
    info_of(request).set_requester(who.tenant());
    return {};
}

Result<TaskId> Jobs::submit(TaskRequest request, const Who& who, Finished finished, Output output) {
    if (auto done = admit(request, who); !done) return std::unexpected(done.error());
    Scheduler::Submission submission;
    submission.quota = who.quota;
    return enter(std::move(request), std::move(submission), who.tenant(), std::move(finished),
                 std::move(output));
}

Result<TaskId> Jobs::take_over(TaskRequest request, const std::string& tenant, Finished finished) {
    Scheduler::Submission submission;
    submission.stays = true;
    // How many may wait was seen to where it was submitted.
    submission.quota.running = access_.quota_of(tenant).running;
    return enter(std::move(request), std::move(submission), tenant, std::move(finished));
}

Result<TaskId> Jobs::enter(TaskRequest request, Scheduler::Submission submission,
                           const std::string& tenant, Finished finished, Output output) {
    const auto now = loop_.now();
    const auto id = ++last_;
    auto& info = info_of(request);
    info.set_id(fmt::format("{}", id));
    trace(info, Event::BrokerQueueTask);
    const auto& qos = qos_of(request);
    submission.id = id;
    submission.tenant = tenant;
    submission.priority = qos.priority();
    submission.immediate = qos.immediate() && !submission.stays;
    submission.deadline = deadline_of(qos, now);
    submission.files = files_of(request);
    submission.portable = std::holds_alternative<pb::Task_Wasip1_Request>(request);
    const auto key = cache_->key_of(request, tenant);
    auto opinions =
        agreement_ > 1 && qos.deterministic() ? std::make_shared<Opinions>(agreement_) : nullptr;
    // Providers of other makers may not know the field.
    if (qos.has_deterministic())
        std::visit([](auto& r) { r.mutable_qos()->clear_deterministic(); }, request);
    // What one of several said is not yet so.
    if (opinions) output = nullptr;
    if (output)
        std::visit([](auto& r) { r.mutable_qos()->set_output(true); }, request);
    else if (qos.has_output())
        std::visit([](auto& r) { r.mutable_qos()->clear_output(); }, request);
    jobs_.emplace(id, Job{.request = std::move(request),
                          .finished = std::move(finished),
                          .tenant = tenant,
                          .cache_key = key,
                          .opinions = std::move(opinions),
                          .output = std::move(output),
                          .submitted = now});
    if (const auto* kept = key.empty() ? nullptr : cache_->find(key)) {
        answer_from(*kept, id);
        return id;
    }
    auto accepted = scheduler_.submit(std::move(submission), now);
    if (!accepted) jobs_.erase(id);
    pump();
    if (!accepted) return std::unexpected(accepted.error());
    return id;
}

// Later, as for any other task; who cancels it meanwhile gets nothing.
void Jobs::answer_from(const TaskResponse& kept, TaskId task) {
    loop_.post([this, task, response = kept]() mutable {
        const auto found = jobs_.find(task);
        if (found == jobs_.end()) return;
        figures_->kept.add();
        auto info = info_of(found->second.request);
        info.set_provider(info_of(response).provider());
        info_of(response) = std::move(info);
        found->second.cache_key.clear();
        finish(task, std::move(response));
    });
}

void Jobs::cancel(TaskId task, std::string_view reason) {
    jobs_.erase(task);
    scheduler_.cancel(task, reason, loop_.now());
    pump();
}

Result<> Jobs::cancel_by_id(TaskId task, const Who& who) {
    const auto found = jobs_.find(task);
    if (found == jobs_.end() || (!who.admin && found->second.tenant != who.tenant()))
        return refuse(Code::not_found, fmt::format("there is no task {}", task));
    scheduler_.cancel(task, "cancelled on request", loop_.now());
    finish(task, refuse(Code::canceled, "cancelled on request"));
    pump();
    return {};
}

void Jobs::finish(TaskId task, Result<TaskResponse> result) {
    const auto found = jobs_.find(task);
    if (found == jobs_.end()) return;
    auto job = std::move(found->second);
    jobs_.erase(found);
    const bool ok =
        result && std::visit([](const auto& response) { return response.has_ok(); }, *result);
    const auto now = loop_.now();
    const auto& figures = figures_->targets[job.in_cloud];
    figures.completed[ok]->observe(seconds(now - job.submitted));
    if (job.dispatched != Time{}) figures.execution[ok]->observe(seconds(now - job.dispatched));
    if (ok) cache_->put(job.cache_key, *result);
    ++ended_now_;
    expect_news();
    job.finished(std::move(result));
}

std::vector<Jobs::Listed> Jobs::list(const Who& who) const {
    std::vector<Listed> listed;
    for (const auto& [id, job] : jobs_) {
        if (!who.admin && job.tenant != who.tenant()) continue;
        const auto& info = info_of(job.request);
        listed.push_back({id, info.requester(), info.provider(), info.reference(),
                          program_of(job.request), seconds(loop_.now() - job.submitted)});
    }
    std::ranges::sort(listed, {}, &Listed::id);
    return listed;
}

// --- the scheduler

void Jobs::pump() {
    // What a finished task sets off may come back here: the outer call takes it up.
    if (pumping_) return;
    pumping_ = true;
    Scheduler::Event event;
    while (scheduler_.poll(event)) handle(event);
    pumping_ = false;
    arm();
    if (room_ && scheduler_.spare() > 0) room_();
}

void Jobs::handle(Scheduler::Event& event) {
    if (auto* dispatch = std::get_if<Scheduler::Dispatch>(&event)) {
        const auto job = jobs_.find(dispatch->task);
        const auto provider = providers_.find(dispatch->provider);
        if (job == jobs_.end() || provider == providers_.end()) return;
        auto& info = info_of(job->second.request);
        trace(info, Event::BrokerScheduleTask);
        info.set_provider(provider->second->name());
        trace(info, Event::BrokerTransmitProviderTask);
        const auto now = loop_.now();
        job->second.in_cloud = scheduler_.cloud(dispatch->provider);
        if (job->second.dispatched == Time{})
            figures_->targets[job->second.in_cloud].scheduled->observe(
                seconds(now - job->second.submitted));
        job->second.dispatched = now;
        const auto run = [&](auto& request) {
            if (dispatch->first)
                request.mutable_qos()->set_first(true);
            else if (request.qos().has_first())
                request.mutable_qos()->clear_first();
            provider->second->run(dispatch->task, request);
        };
        std::visit(run, job->second.request);
    } else if (auto* cancel = std::get_if<Scheduler::Cancel>(&event)) {
        if (const auto at = providers_.find(cancel->provider); at != providers_.end())
            at->second->cancel(cancel->task, cancel->reason);
    } else if (auto* failed = std::get_if<Scheduler::Failed>(&event)) {
        finish(failed->task, refuse(failed->code, std::move(failed->text)));
    } else if (auto* ping = std::get_if<Scheduler::Ping>(&event)) {
        if (const auto at = providers_.find(ping->provider); at != providers_.end())
            at->second->ping();
    } else if (auto* evict = std::get_if<Scheduler::Evict>(&event)) {
        const auto at = providers_.find(evict->provider);
        if (at == providers_.end()) return;
        auto* provider = at->second;
        LOG_WARNING(about, "provider {} is evicted: {}", provider->name(), evict->reason);
        provider->evict(evict->reason);
    }
}

void Jobs::arm() {
    const auto next = scheduler_.deadline();
    if (next == armed_) return;
    armed_ = next;
    timer_.cancel();
    if (next != Time::max()) timer_ = loop_.at(next, [this] { tick(); });
}

void Jobs::tick() {
    armed_ = Time::max();
    scheduler_.tick(loop_.now());
    pump();
}

// --- providers

void Jobs::joined(ProviderId id, Provider& provider) {
    providers_[id] = &provider;
    scheduler_.joined(id, loop_.now());
    pump();
}

void Jobs::joined_elsewhere(ProviderId id, Provider& provider) {
    providers_[id] = &provider;
    scheduler_.joined_elsewhere(id, loop_.now());
    scheduler_.ready(id, loop_.now());
    pump();
}

void Jobs::joined_cloud(ProviderId id, Provider& provider) {
    providers_[id] = &provider;
    scheduler_.joined_cloud(id, loop_.now());
    scheduler_.ready(id, loop_.now());
    pump();
}

void Jobs::ready(ProviderId id) {
    scheduler_.ready(id, loop_.now());
    if (const auto at = providers_.find(id); at != providers_.end()) at->second->tell(cluster());
    expect_news();
    pump();
}

void Jobs::left(ProviderId id) {
    if (providers_.erase(id) == 0) return;
    outvoted_.erase(id);
    scheduler_.left(id, loop_.now());
    expect_news();
    pump();
}

void Jobs::slots(ProviderId id, std::uint32_t count, std::uint32_t ahead) {
    scheduler_.slots(id, count, loop_.now(), ahead);
    pump();
}

void Jobs::holds(ProviderId id, std::string_view file, bool held) {
    scheduler_.holds(id, file, held);
}

void Jobs::heard(ProviderId id) {
    scheduler_.heard(id, loop_.now());
    arm();  // who was pinged is due earlier now
}

// What one provider cannot do another may; what two say alike, or what is plainly in the program,
// is so.
bool Jobs::believed(Job& job, ProviderId provider, const std::string& text) const {
    if (text.find("CompileError") != std::string::npos) return true;
    const auto kept = text.substr(0, longest_kept);
    job.failures.push_back(fmt::format("{}\n{}", provider, kept));
    std::vector<std::string_view> said;
    for (const auto& failure : job.failures)
        if (split_once(failure, '\n').second == kept &&
            std::ranges::find(said, split_once(failure, '\n').first) == said.end())
            said.push_back(split_once(failure, '\n').first);
    return said.size() >= believed_after;
}

void Jobs::wrote(ProviderId id, TaskId task, pb::Event_TaskOutput output) {
    const auto found = jobs_.find(task);
    if (found == jobs_.end() || !found->second.output || !scheduler_.runs_at(task, id)) return;
    auto& job = found->second;
    const bool again = job.writer != 0 && job.writer != id;
    if (job.writer != id) job.written = 0;
    job.writer = id;
    job.written += output.stdout().size() + output.stderr().size();
    if (job.written > max_output) return;
    output.set_reference(info_of(job.request).reference());
    job.output(output, again);
}

void Jobs::answered(ProviderId id, TaskId task, const wasimoff::Envelope& envelope) {
    const auto now = loop_.now();
    const auto found = jobs_.find(task);
    if (found == jobs_.end()) {
        scheduler_.done(task, id, now);
        return pump();
    }
    auto& job = found->second;
    const auto call_failed = [&](std::string text) {
        if (!believed(job, id, text)) {
            scheduler_.failed(task, id, Code::unavailable, std::move(text), now);
        } else if (scheduler_.done(task, id, now)) {
            finish(task, refuse(Code::failed_precondition, std::move(text)));
        }
        pump();
    };
    if (envelope.error) return call_failed(*envelope.error);
    Result<TaskResponse> result = std::visit(
        [&]<typename Request>(const Request& request) -> Result<TaskResponse> {
            using Response =
                std::conditional_t<std::is_same_v<Request, pb::Task_Wasip1_Request>,
                                   pb::Task_Wasip1_Response, pb::Task_Pyodide_Response>;
            Response response;
            if (!envelope.is<Response>()) return fail("answered with '{}'", envelope.name);
            if (auto read = envelope.read(response); !read) return std::unexpected(read.error());
            if (!response.has_ok() && !response.has_error()) return fail("answered with no result");
            // Not every provider echoes the metadata, and none may change whose task it was.
            pb::Task_Metadata info = request.info();
            if (response.info().has_trace()) *info.mutable_trace() = response.info().trace();
            // Of another broker's providers only that one knows the name.
            if (scheduler_.elsewhere(id) && !scheduler_.cloud(id))
                info.set_provider(response.info().provider());
            else if (const auto by = providers_.find(id); by != providers_.end())
                info.set_provider(by->second->name());
            trace(info, Event::BrokerReceivedProviderResult);
            trace(info, Event::BrokerTransmitClientResponse);
            *response.mutable_info() = std::move(info);
            return TaskResponse(std::move(response));
        },
        job.request);
    if (!result) return call_failed(result.error().text());
    if (job.opinions)
        judge(id, task, std::move(*result));
    else if (scheduler_.done(task, id, now))
        finish(task, std::move(result));
    pump();
}

void Jobs::judge(ProviderId id, TaskId task, TaskResponse response) {
    const auto now = loop_.now();
    auto& opinions = *jobs_.find(task)->second.opinions;
    // One that is not waited for any more has no say.
    if (!scheduler_.runs_at(task, id)) {
        scheduler_.done(task, id, now);
        return;
    }
    switch (opinions.add(id, std::move(response))) {
        case Opinions::Standing::open: scheduler_.again(task, id, now); return;
        case Opinions::Standing::agreed: {
            scheduler_.done(task, id, now);
            const auto dissenters = opinions.dissenters();
            finish(task, opinions.take());
            for (const auto provider : dissenters) outvoted(provider, task);
            return;
        }
        case Opinions::Standing::split:
            scheduler_.done(task, id, now);
            finish(task,
                   refuse(Code::aborted, fmt::format("no {} of {} providers gave the same result",
                                                     agreement_, opinions.size())));
    }
}

void Jobs::outvoted(ProviderId id, TaskId task) {
    figures_->outvoted.add();
    const auto at = providers_.find(id);
    if (at == providers_.end()) return;
    auto* provider = at->second;
    LOG_WARNING(about, "provider {}: {} others agree on another result of task {}",
                provider->name(), agreement_, task);
    if (scheduler_.elsewhere(id) || ++outvoted_[id] < max_outvoted) return;
    LOG_WARNING(about, "provider {} is evicted: outvoted {} times", provider->name(), max_outvoted);
    provider->evict("gave results that others did not");
}

void Jobs::given_up(ProviderId id, TaskId task, Error error) {
    if (scheduler_.done(task, id, loop_.now())) finish(task, std::unexpected(std::move(error)));
    pump();
}

void Jobs::came_back(ProviderId id, TaskId task, std::string why) {
    scheduler_.failed(task, id, Code::unavailable, std::move(why), loop_.now());
    pump();
}

// --- news for providers

// Once a second at most: a thousand that join together would else be told of each other a million
// times.
void Jobs::expect_news() {
    if (!news_.pending()) news_ = loop_.after(news_interval, [this] { tell_everybody(); });
}

pb::Event_ClusterInfo Jobs::cluster() const {
    pb::Event_ClusterInfo event;
    event.set_providers(static_cast<std::uint32_t>(scheduler_.providers()));
    return event;
}

void Jobs::tell_everybody() {
    if (const auto count = scheduler_.providers(); count != told_providers_) {
        told_providers_ = count;
        const auto event = cluster();
        for (const auto& [id, provider] : providers_) provider->tell(event);
    }
    throughput();
}

// While something happens it is told each second; then zero, and then nothing.
void Jobs::throughput() {
    ended_.push_back(std::exchange(ended_now_, 0));
    if (ended_.size() > throughput_window) ended_.pop_front();
    std::uint64_t sum = 0;
    for (const auto count : ended_) sum += count;
    const auto overall = static_cast<float>(sum) / throughput_window;
    if (overall == 0 && told_throughput_ == 0) return;
    told_throughput_ = overall;
    pb::Event_Throughput event;
    event.set_overall(overall);
    for (const auto& [id, provider] : providers_) provider->tell(event);
    expect_news();
}

void Jobs::publish_metrics() {
    figures_->copies.set(static_cast<double>(scheduler_.copies()));
    for (std::size_t number = 1; const auto retries : scheduler_.retries()) {
        auto& counter = figures_->retry(number++);
        counter.add(retries - counter.value());
    }
    figures_->queued.set(static_cast<double>(scheduler_.waiting()));
    figures_->dispatching.set(static_cast<double>(scheduler_.running()));
    figures_->providers.set(static_cast<double>(scheduler_.providers()));
    figures_->workers.set(static_cast<double>(scheduler_.total_slots()));
    figures_->in_cloud.set(static_cast<double>(scheduler_.cloud_slots()));
    figures_->stored.set(static_cast<double>(storage_.bytes()));
}

}  // namespace strowger::broker
