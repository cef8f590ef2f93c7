#include "broker/cluster.hpp"

#include <algorithm>
#include <limits>

#include "base/log.hpp"
#include "base/metrics.hpp"
#include "broker/cluster_scripts.hpp"
#include "broker/task_codec.hpp"
#include "io/clock.hpp"

namespace strowger::broker {

namespace {

using connect::Code;
using io::Redis;

constexpr log::About about{"broker"};
// No stream has this number.
constexpr ProviderId elsewhere = std::numeric_limits<ProviderId>::max();
// News of slots are told this much later at most, together.
constexpr Duration soon = std::chrono::milliseconds{20};
// A task's record outlives its deadline by this, for who ends it at the deadline.
constexpr auto grace = std::chrono::seconds{60};

std::string ms(Duration duration) {
    return fmt::format("{}",
                       std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

std::string lost_text() {
    return write_result(
        refuse(Code::unavailable,
               fmt::format("{} brokers were lost while running it", Cluster::max_losses)));
}

const std::string kept_ms = ms(Submissions::results_kept);
const std::string most_results = fmt::format("{}", Submissions::max_results);
const std::string most_bytes = fmt::format("{}", Submissions::max_result_bytes);

}  // namespace

Cluster::Cluster(io::Loop& loop, SharedStore& store, Jobs& jobs, Storage::Others& files,
                 const Scheduler::Config& config)
    : loop_(loop), store_(store), jobs_(jobs), files_(files), config_(config) {
    store_.on_up([this] { went_up(); });
    store_.on_down([this] { went_down(); });
    store_.on("to:" + store_.self(), [this](std::string_view text) { told(text); });
    store_.on("done:" + store_.self(), [this](std::string_view id) { collect(std::string(id)); });
    store_.on("done", [this](std::string_view id) { tell_done(std::string(id)); });
    store_.on("work", [this](std::string_view) {
        waiting_there_ = true;
        room();
    });
    store_.on("slots", [this](std::string_view) { beat_soon(); });
    jobs_.on_room([this] { room(); });
}

Cluster::~Cluster() {
    *alive_ = false;
    jobs_.on_room({});
}

void Cluster::publish_metrics() const {
    auto& all = metrics::Registry::global();
    all.gauge("wasimoff_sharing", "Whether the Redis that brokers share is there")
        .set(store_.up() ? 1 : 0);
    all.gauge("wasimoff_tasks_offered", "Tasks from here that wait or run at other brokers")
        .set(static_cast<double>(offered_.size()));
    all.gauge("wasimoff_tasks_taken", "Tasks of other brokers that are here")
        .set(static_cast<double>(claimed_.size()));
}

// --- the lease

void Cluster::went_up() {
    LOG_NOTICE(about, "shares the queue as {}", store_.self());
    gone_.cancel();
    beat();
}

// What was offered may be done there all the same: it is given up only after a lease.
void Cluster::went_down() {
    LOG_WARNING(about, "works alone: Redis is away");
    beating_ = claiming_ = false;
    beat_.cancel();
    if (!joined_) return;
    jobs_.slots(elsewhere, 0);
    gone_ = loop_.after(lease, [this] {
        offered_.clear();
        offers_.clear();
        joined_ = false;
        jobs_.left(elsewhere);
    });
}

void Cluster::beat() {
    if (!store_.up() || beating_ || leaving_) return;
    beating_ = true;
    beat_ = loop_.after(beat_interval, [this] { beat(); });
    told_slots_ = jobs_.total_slots();
    const auto slots = fmt::format("{}", told_slots_), losses = fmt::format("{}", max_losses);
    const auto lost = lost_text(), period = ms(lease), after = ms(grace);
    const auto late = write_result(refuse(Code::deadline_exceeded, "deadline exceeded"));
    store_.run(scripts::beat,
               {store_.self(), period, slots, losses, lost, kept_ms, most_results, most_bytes,
                after, late},
               [this, alive = alive_](Result<Redis::Reply> reply) {
                   if (!*alive) return;
                   beating_ = false;
                   if (!reply)
                       LOG_WARNING(about, "no beat: {}", reply.error().text());
                   else
                       beaten(*reply);
               });
}

void Cluster::beat_soon() {
    if (!soon_.pending()) soon_ = loop_.after(soon, [this] { beat(); });
}

void Cluster::beaten(const Redis::Reply& reply) {
    if (reply.items.size() != 3 || !store_.up()) return;
    if (!std::exchange(joined_, true)) jobs_.joined_elsewhere(elsewhere, *this);
    for (const auto& broker : reply.items[2].items) seen_[broker.text] = loop_.now();
    drop_orphans();
    waiting_there_ = reply.items[1].number > 0;
    // What was missed while a connection was away.
    std::vector<std::string> ids;
    for (const auto& [id, offered] : offered_)
        if (loop_.now() - offered.since >= beat_interval) ids.push_back(id);
    for (const auto& id : ids) collect(id);
    ids.clear();
    for (const auto& [id, result] : unsent_) ids.push_back(id);
    for (const auto& id : ids) send_result(id);
    for (const auto& id : std::exchange(returning_, {})) give_back(id);
    jobs_.slots(elsewhere, static_cast<std::uint32_t>(std::min<std::int64_t>(
                               reply.items[0].number, Scheduler::max_slots)));
    room();
}

// A broker that is gone has no client any more; one that Redis has forgotten comes back soon.
void Cluster::drop_orphans() {
    const auto now = loop_.now();
    std::vector<std::string> orphans;
    for (const auto& [id, claimed] : claimed_) {
        if (claimed.home.empty()) continue;
        if (now - seen_.try_emplace(claimed.home, now).first->second >= lease)
            orphans.push_back(id);
    }
    for (const auto& id : orphans) {
        const auto node = claimed_.extract(id);
        if (node.mapped().task) jobs_.cancel(*node.mapped().task, "its broker is gone");
        store_.run(scripts::withdraw, {id}, [](const Result<Redis::Reply>&) {});
    }
    std::erase_if(seen_, [&](const auto& entry) { return now - entry.second > 2 * lease; });
}

void Cluster::leave(std::function<void()> then) {
    leaving_ = true;
    beat_.cancel();
    store_.run(scripts::leave, {store_.self()},
               [then = std::move(then)](const Result<Redis::Reply>&) { then(); });
}

// --- tasks of our own that others run

void Cluster::offer(const std::string& id, const TaskRequest& request, std::string_view home,
                    std::size_t most_of_tenant, Then<void> then) {
    const auto bytes = write_request(request);
    auto left = config_.longest_task;
    if (const auto& qos = qos_of(request); qos.has_deadline()) {
        const auto at = std::chrono::seconds(qos.deadline().seconds());
        const auto now =
            std::chrono::floor<std::chrono::seconds>(io::wall_now().time_since_epoch());
        if (at - now < std::chrono::duration_cast<std::chrono::seconds>(left))
            left = std::max<Duration>(at - now, Duration::zero());
    }
    const auto kept = ms(left + grace), most = fmt::format("{}", config_.max_waiting),
               own = fmt::format("{}", most_of_tenant ? most_of_tenant : 2 * config_.max_waiting);
    store_.run(scripts::offer,
               {id, info_of(request).requester(), home, kind_of(request), bytes, kept,
                qos_of(request).priority() ? "1" : "0", most, own},
               [then = std::move(then)](Result<Redis::Reply> reply) mutable {
                   if (!reply) return then(refuse(Code::unavailable, reply.error().text()));
                   if (reply->number != 1)
                       return then(refuse(Code::resource_exhausted, "429: Queue Full"));
                   then({});
               });
}

void Cluster::run(TaskId task, const google::protobuf::Message& message) {
    TaskRequest request;
    if (const auto* wasip1 = dynamic_cast<const pb::Task_Wasip1_Request*>(&message))
        request = *wasip1;
    else if (const auto* pyodide = dynamic_cast<const pb::Task_Pyodide_Request*>(&message))
        request = *pyodide;
    auto id = fmt::format("{}-{}", store_.self(), ++count_);
    offered_[id] = {task, loop_.now()};
    offers_[task] = id;
    offer(id, request, store_.self(), 0, [this, alive = alive_, id, task](Result<> done) {
        if (!*alive || done || offered_.erase(id) == 0) return;
        offers_.erase(task);
        // Until the next beat; it would be offered at once again otherwise.
        loop_.post([this, alive, task, why = done.error().text()] {
            if (!*alive) return;
            jobs_.slots(elsewhere, 0);
            jobs_.came_back(elsewhere, task, why);
        });
    });
}

void Cluster::cancel(TaskId task, std::string_view) {
    const auto found = offers_.find(task);
    if (found == offers_.end()) return;
    store_.run(scripts::withdraw, {found->second}, [](const Result<Redis::Reply>&) {});
    offered_.erase(found->second);
    offers_.erase(found);
    // Nobody waits for it, so that its slot is free.
    loop_.post([this, alive = alive_, task] {
        if (*alive) jobs_.given_up(elsewhere, task, Error("cancelled"));
    });
}

void Cluster::collect(const std::string& id) {
    if (!offered_.contains(id)) return;
    store_.run(scripts::take_result, {id}, [this, alive = alive_, id](Result<Redis::Reply> reply) {
        if (!*alive || !reply) return;
        const auto found = offered_.find(id);
        if (found == offered_.end() || reply->kind == Redis::Reply::Kind::nil) return;
        const auto task = found->second.task;
        offered_.erase(found);
        offers_.erase(task);
        if (reply->kind != Redis::Reply::Kind::text)
            return jobs_.came_back(elsewhere, task, "Redis has forgotten it");
        auto result = read_result(reply->text);
        if (!result) return jobs_.given_up(elsewhere, task, result.error());
        wasimoff::Envelope envelope{.type = wasimoff::Type::response};
        std::visit(
            [&](const auto& response) {
                envelope.name = response.GetDescriptor()->full_name();
                envelope.payload = response.SerializeAsString();
            },
            *result);
        jobs_.answered(elsewhere, task, envelope);
    });
}

// --- tasks of others that run here

void Cluster::room() {
    if (jobs_.total_slots() != told_slots_) beat_soon();
    if (waiting_there_ && !claiming_ && !leaving_ && joined_ && store_.up()) claim();
}

void Cluster::claim() {
    const auto free = jobs_.spare();
    if (free <= fetching_) return;
    const auto spare = std::min(free - fetching_, max_claimed);
    claiming_ = true;
    waiting_there_ = false;
    const auto count = fmt::format("{}", spare), bytes = fmt::format("{}", max_claimed_bytes);
    store_.run(scripts::claim, {store_.self(), count, bytes},
               [this, alive = alive_](Result<Redis::Reply> reply) {
                   if (!*alive) return;
                   claiming_ = false;
                   if (!reply) return;
                   const auto& items = reply->items;
                   // There may be more; what has none left says so.
                   if (items.size() >= 5) waiting_there_ = true;
                   for (std::size_t i = 0; i + 5 <= items.size(); i += 5)
                       take(items[i].text, items[i + 1].text, items[i + 2].text, items[i + 3].text,
                            items[i + 4].text);
                   room();
               });
}

void Cluster::take(const std::string& id, std::string_view kind, const std::string& tenant,
                   std::string home, std::string_view bytes) {
    if (claimed_.contains(id)) return;
    auto request = read_request(kind, bytes);
    if (!request) return ended(id, write_result(std::unexpected(request.error())));
    claimed_[id] = {.home = std::move(home), .task = {}};
    ++fetching_;
    auto files = files_of(*request);
    // Before it runs: Redis may go away any time, and the provider would ask in vain.
    bring(std::move(files),
          [this, alive = alive_, id, tenant, request = std::move(*request)](Result<> here) mutable {
              if (!*alive) return;
              --fetching_;
              if (!claimed_.contains(id)) return;  // cancelled
              if (here) {
                  start(id, std::move(request), tenant);
              } else {
                  claimed_.erase(id);
                  if (code_of(here.error()) == Code::unavailable)
                      returning_.push_back(id);
                  else
                      ended(id, write_result(std::unexpected(here.error())));
              }
              room();
          });
}

// One after the other; most tasks have one or two, and most of these are here.
void Cluster::bring(std::vector<std::string> files, Then<void> then) {
    if (files.empty()) return then({});
    const auto next = std::move(files.back());
    files.pop_back();
    files_.fetch(next, [this, alive = alive_, files = std::move(files),
                        then = std::move(then)](Result<> here) mutable {
        if (!*alive) return;
        if (!here) return then(std::move(here));
        bring(std::move(files), std::move(then));
    });
}

void Cluster::start(const std::string& id, TaskRequest request, const std::string& tenant) {
    const bool waited_for = !claimed_[id].home.empty();
    const auto finished = [this, alive = alive_, id, waited_for](Result<TaskResponse> result) {
        if (!*alive || claimed_.erase(id) == 0) return;
        // Its own number means nothing to others.
        if (result && !waited_for) info_of(*result).set_id(id);
        ended(id, write_result(result));
    };
    const auto task = jobs_.take_over(std::move(request), tenant, finished);
    const auto found = claimed_.find(id);
    if (task) {  // it may be over already, where its result was kept
        if (found != claimed_.end()) found->second.task = *task;
        return;
    }
    claimed_.erase(found);
    if (code_of(task.error()) == Code::resource_exhausted)
        give_back(id);
    else
        ended(id, write_result(std::unexpected(task.error())));
}

void Cluster::ended(const std::string& id, std::string result) {
    if (unsent_.size() >= max_unsent) {
        LOG_WARNING(about, "Redis is away for too long: a result is dropped");
        unsent_.erase(unsent_.begin());
    }
    unsent_[id] = std::move(result);
    send_result(id);
}

void Cluster::send_result(const std::string& id) {
    const auto found = unsent_.find(id);
    if (found == unsent_.end() || !store_.up()) return;
    store_.run(scripts::finish,
               {id, store_.self(), found->second, kept_ms, most_results, most_bytes},
               [this, alive = alive_, id](Result<Redis::Reply> reply) {
                   if (!*alive || !reply) return;
                   if (unsent_.erase(id) && reply->number == 0)
                       LOG_VERBOSE(about, "task {}: a result that nobody waits for", id);
               });
}

void Cluster::give_back(const std::string& id) {
    store_.run(scripts::give_back, {id, store_.self()}, [](const Result<Redis::Reply>&) {});
}

void Cluster::told(std::string_view text) {
    if (!text.starts_with("cancel ")) return;
    const auto found = claimed_.find(std::string(text.substr(7)));
    if (found == claimed_.end()) return;
    const auto task = found->second.task;
    claimed_.erase(found);
    if (task) jobs_.cancel(*task, "client went away");
}

// --- tasks that nobody waits for

void Cluster::submit(TaskRequest request, const Who& who, Then<std::string> then) {
    if (auto admitted = jobs_.admit(request, who); !admitted)
        return then(std::unexpected(admitted.error()));
    auto id = fmt::format("{}-{}", store_.self(), ++count_);
    offer(id, request, "", who.quota.waiting, [id, then = std::move(then)](Result<> done) mutable {
        if (!done) return then(std::unexpected(done.error()));
        then(std::move(id));
    });
}

void Cluster::look(const std::string& id, const Who& who, Then<Standing> then) {
    store_.run(
        scripts::look, {id, who.admin ? std::string_view() : who.tenant()},
        [id, then = std::move(then)](Result<Redis::Reply> reply) mutable {
            if (!reply) return then(refuse(Code::unavailable, reply.error().text()));
            const auto& items = reply->items;
            if (items.empty())
                return then(refuse(Code::not_found, fmt::format("there is no task {}", id)));
            using State = Standing::State;
            if (items[0].text != "done" || items.size() < 2)
                return then(Standing{items[0].text == "running" ? State::running : State::waiting});
            then(Standing{State::done, read_result(items[1].text)});
        });
}

void Cluster::cancel(const std::string& id, const Who& who, Then<void> then) {
    const auto text = write_result(refuse(Code::canceled, "cancelled on request"));
    store_.run(scripts::end_task,
               {id, who.admin ? std::string_view() : who.tenant(), text, kept_ms, most_results,
                most_bytes},
               [id, then = std::move(then)](Result<Redis::Reply> reply) mutable {
                   if (!reply) return then(refuse(Code::unavailable, reply.error().text()));
                   if (reply->number != 1)
                       return then(refuse(Code::not_found, fmt::format("there is no task {}", id)));
                   then({});
               });
}

}  // namespace strowger::broker
