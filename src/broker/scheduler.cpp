#include "broker/scheduler.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace strowger::broker {

namespace {

using PingStep = std::chrono::duration<std::int64_t, std::ratio<1, 5>>;

using connect::Code;

std::unexpected<Error> refuse(Code code, std::string text) {
    return std::unexpected(Error(std::move(text), static_cast<int>(code)));
}

// Providers looked at for one task: the best of some is nearly as good as the best of all.
constexpr std::size_t most_candidates = 16;
// Tasks of one queue that are looked at while those before them wait for another provider.
constexpr int most_passed_over = 8;
constexpr double pause_growth = 1.8;  // ten attempts then take about 2.4 s
constexpr double mean_factor = 0.3;   // weight of the newest measurement

std::uint64_t hash_of(std::string_view file) { return std::hash<std::string_view>{}(file); }

}  // namespace

// --- tasks

Result<> Scheduler::submit(Submission submission, Time now) {
    if (waiting_ >= config_.max_waiting) return refuse(Code::resource_exhausted, "429: Queue Full");
    const auto deadline =
        std::min(submission.deadline.value_or(Time::max()), now + config_.longest_task);
    if (deadline <= now) return refuse(Code::deadline_exceeded, "the deadline has passed");
    const auto known = tenants_.find(submission.tenant);
    const auto queued = known == tenants_.end() ? 0 : known->second.waiting;
    if (submission.quota.waiting && queued >= submission.quota.waiting)
        return refuse(Code::resource_exhausted,
                      fmt::format("429: Queue Full: {} tasks of this token wait", queued));
    auto& tenant = tenants_[submission.tenant];
    if (tenant.name.empty()) tenant.name = submission.tenant;
    tenant.quota = submission.quota;

    auto& task = tasks_[submission.id];
    task = Task{.id = submission.id,
                .tenant = &tenant,
                .priority = submission.priority,
                .immediate = submission.immediate,
                .stays = submission.stays,
                .portable = submission.portable,
                .deadline = deadline};
    for (const auto& file : submission.files) task.files.push_back(hash_of(file));
    ++tenant.waiting;
    ++waiting_;
    enqueue(task, false);
    task_timers_.emplace(deadline, task.id);
    const auto id = task.id;
    dispatch(now);
    if (!submission.immediate) return {};
    const auto found = tasks_.find(id);
    if (found == tasks_.end() || found->second.state == Task::State::running) return {};
    forget(found->second);
    return refuse(Code::resource_exhausted, "no provider is free and the task is immediate");
}

bool Scheduler::cancel(TaskId id, std::string_view reason, Time now) {
    const auto found = tasks_.find(id);
    if (found == tasks_.end()) return false;
    tell_running_cancelled(found->second, reason, now);
    forget(found->second);
    dispatch(now);
    return true;
}

void Scheduler::tell_running_cancelled(Task& task, std::string_view reason, Time now) {
    if (task.state != Task::State::running) return;
    for (const auto id : {task.provider, task.copy}) {
        const auto provider = providers_.find(id);
        if (id == 0 || provider == providers_.end()) continue;
        events_.emplace_back(Cancel{task.id, id, std::string(reason)});
        provider->second.running[task.id] = now;
        set_timer(provider->second, std::min(provider->second.timer, now + config_.cancel_timeout));
    }
}

bool Scheduler::done(TaskId id, ProviderId provider, Time now) {
    if (const auto at = providers_.find(provider); at != providers_.end())
        release(at->second, id, now, true);
    const auto found = tasks_.find(id);
    const bool expected = found != tasks_.end() && found->second.runs_at(provider);
    if (expected) {
        auto& task = found->second;
        if (task.copy) {
            lose_copy(task, provider);
            tell_running_cancelled(task, "another provider was quicker", now);
        }
        forget(task);
    }
    dispatch(now);
    return expected;
}

bool Scheduler::again(TaskId id, ProviderId provider, Time now) {
    if (const auto at = providers_.find(provider); at != providers_.end())
        release(at->second, id, now, true);
    const auto found = tasks_.find(id);
    const bool expected = found != tasks_.end() && found->second.runs_at(provider);
    if (expected) {
        auto& task = found->second;
        task.heard.push_back(provider);
        if (!lose_copy(task, provider)) {
            put_back(task);
            enqueue(task, true);
            if (task.immediate && !choose(task, free_))
                fail_task(task, Code::resource_exhausted, "no second provider is free");
        }
    }
    dispatch(now);
    return expected;
}

void Scheduler::failed(TaskId id, ProviderId provider, Code code, std::string text, Time now) {
    if (const auto at = providers_.find(provider); at != providers_.end())
        release(at->second, id, now, false);
    const auto found = tasks_.find(id);
    if (found != tasks_.end() && found->second.runs_at(provider)) {
        if (lose_copy(found->second, provider)) {
            // The other one may still do it.
        } else if (elsewhere(provider) && !cloud(provider)) {
            put_back(found->second);
            enqueue(found->second, true);
        } else {
            retry(found->second, code, std::move(text), now, false);
        }
    }
    dispatch(now);
}

void Scheduler::retry(Task& task, Code code, std::string text, Time now, bool lost) {
    ++task.attempts;
    if (lost) ++task.losses;
    if (task.attempts >= config_.max_attempts)
        return fail_task(task, code,
                         fmt::format("gave up after {} attempts: {}", task.attempts, text));
    if (task.losses >= config_.max_losses)
        return fail_task(task, Code::unavailable,
                         fmt::format("{} providers were lost while running it", task.losses));
    ++retries_[task.attempts - 1];
    put_back(task);
    // Behind one that vanished it need not wait: the next one has nothing to do with that.
    if (lost || task.immediate) {
        enqueue(task, true);
        if (!task.immediate) return;
        if (auto* provider = choose(task, free_)) return start(task, *provider, now);
        return fail_task(task, code, std::move(text));
    }
    task.state = Task::State::paused;
    auto pause = config_.first_pause;
    for (unsigned i = 1; i < task.attempts && pause < config_.longest_pause; ++i)
        pause = scale(pause, pause_growth);
    task.wake = now + std::min(pause, config_.longest_pause);
    task_timers_.emplace(task.wake, task.id);
}

// Of two that run it, forgets one; false when it is the only one.
bool Scheduler::lose_copy(Task& task, ProviderId provider) {
    if (task.copy == 0) return false;
    if (task.provider == provider) task.provider = task.copy;
    task.copy = 0;
    return true;
}

void Scheduler::learn(const Task& task, double took) {
    if (config_.second_copy <= 0 || task.files.empty()) return;
    auto program = programs_.find(task.files.front());
    if (program == programs_.end()) {
        if (programs_.size() >= max_programs) programs_.erase(programs_.begin());
        program = programs_.try_emplace(task.files.front()).first;
    }
    auto& [mean, runs] = program->second;
    mean = runs == 0 ? took : mean + mean_factor * (took - mean);
    runs = std::min(runs + 1, measured_after);
}

// Looked at again then.
void Scheduler::expect(Task& task, Time now) {
    if (config_.second_copy <= 0 || task.files.empty()) return;
    const auto program = programs_.find(task.files.front());
    if (program == programs_.end() || program->second.runs < measured_after) return;
    const auto usual = scale(std::chrono::seconds{1}, program->second.mean * config_.second_copy);
    task.late = now + std::max(usual, shortest_late);
    task_timers_.emplace(task.late, task.id);
}

// Those that have waited longer go first, and a slot that a copy would take may be theirs.
void Scheduler::begin_copy(Task& task, Time now) {
    task_timers_.erase({task.late, task.id});
    task.late = Time::max();
    if (task.state != Task::State::running || task.copy || elsewhere(task.provider)) return;
    auto* provider = waiting_ == 0 ? choose(task, free_) : nullptr;
    if (!provider) return expect(task, now);
    ++copies_;
    task.copy = provider->id;
    task.tried.push_back(provider->id);
    provider->running.emplace(task.id, Time::max());
    relist(*provider);
    events_.emplace_back(Dispatch{task.id, provider->id});
}

// Counted as waiting again; where it waits the caller says.
void Scheduler::put_back(Task& task) {
    task_timers_.erase({task.late, task.id});
    task.late = Time::max();
    --task.tenant->running;
    ++task.tenant->waiting;
    ++waiting_;
}

void Scheduler::fail_task(Task& task, Code code, std::string text) {
    events_.emplace_back(Failed{task.id, code, std::move(text)});
    forget(task);
}

void Scheduler::forget(Task& task) {
    if (task.state == Task::State::queued) dequeue(task);
    auto& tenant = *task.tenant;
    if (task.state == Task::State::running) {
        --tenant.running;
    } else {
        --tenant.waiting;
        --waiting_;
    }
    task_timers_.erase({task.deadline, task.id});
    task_timers_.erase({task.late, task.id});
    if (task.state == Task::State::paused) task_timers_.erase({task.wake, task.id});
    tasks_.erase(task.id);
    if (tenant.waiting || tenant.running) return;
    if (tenant.in_ring) std::erase(ring_, &tenant);
    tenants_.erase(tenants_.find(tenant.name));
}

void Scheduler::enqueue(Task& task, bool at_front) {
    auto& tenant = *task.tenant;
    auto& queue = tenant.queues[task.priority ? 0 : 1];
    task.place = queue.insert(at_front ? queue.begin() : queue.end(), &task);
    task.state = Task::State::queued;
    if (tenant.in_ring) return;
    tenant.in_ring = true;
    // Who has waited longer than it takes each of the others to have a turn need not let them have
    // one more.
    if (tenant.turn + ring_.size() < turns_)
        ring_.push_front(&tenant);
    else
        ring_.push_back(&tenant);
}

void Scheduler::dequeue(Task& task) {
    task.tenant->queues[task.priority ? 0 : 1].erase(task.place);
}

// --- placement

void Scheduler::dispatch(Time now) {
    std::size_t misses = 0;
    while (!ring_.empty() && misses < ring_.size() &&
           !(free_.empty() && ahead_.empty() && crowded_.empty() && elsewhere_.empty())) {
        auto* tenant = ring_.front();
        ring_.pop_front();
        if (tenant->empty()) {
            tenant->in_ring = false;
            if (!tenant->waiting && !tenant->running) tenants_.erase(tenant->name);
            continue;
        }
        if (place_one(*tenant, now)) {
            tenant->turn = ++turns_;
            misses = 0;
        } else {
            ++misses;
        }
        ring_.push_back(tenant);
    }
}

bool Scheduler::place_one(Tenant& tenant, Time now) {
    if (tenant.quota.running && tenant.running >= tenant.quota.running) return false;
    int looked = 0;
    for (auto& queue : tenant.queues) {
        for (auto* task : queue) {
            if (++looked > most_passed_over) return false;
            if (all_tried(*task)) task->tried.clear();
            auto* provider = place(*task);
            if (!provider) continue;
            start(*task, *provider, now);
            return true;
        }
    }
    return false;
}

Scheduler::Provider* Scheduler::place(const Task& task) {
    if (auto* provider = choose(task, free_)) return provider;
    if (task.immediate) return choose(task, elsewhere_);
    const bool alone = task.tenant->running == 0;
    if (auto* provider = alone ? choose(task, crowded_) : nullptr) return provider;
    if (auto* provider = choose(task, ahead_)) return provider;
    return choose(task, elsewhere_);
}

bool Scheduler::may_run(const Task& task, const Provider& provider) {
    if (provider.cloud) return task.portable;
    if (provider.elsewhere) return !task.stays && !task.immediate;
    return true;
}

bool Scheduler::all_tried(const Task& task) const {
    return !task.tried.empty() && task.tried.size() >= ready_count_;
}

Scheduler::Provider* Scheduler::choose(const Task& task, std::vector<Provider*>& among) {
    Provider* best = nullptr;
    double lowest = std::numeric_limits<double>::max();
    const auto count = std::min(among.size(), most_candidates);
    // Begin anywhere, so that equals share the work.
    const auto first = among.empty() ? 0 : random_.below(among.size());
    for (std::size_t i = 0; i < count; ++i) {
        auto* candidate = among[(first + i) % among.size()];
        if (!may_run(task, *candidate) ||
            std::ranges::find(task.tried, candidate->id) != task.tried.end() ||
            std::ranges::find(task.heard, candidate->id) != task.heard.end())
            continue;
        const auto price = cost(task, *candidate);
        if (price >= lowest) continue;
        lowest = price;
        best = candidate;
    }
    return best;
}

// Seconds until it would be done, as far as one can tell.
double Scheduler::cost(const Task& task, const Provider& provider) const {
    constexpr double fetch_a_file = 1.0;
    double price = provider.mean * (1.0 + static_cast<double>(provider.running.size()) /
                                              std::max<std::uint32_t>(provider.slots, 1));
    for (const auto file : task.files)
        if (!std::ranges::binary_search(provider.files, file)) price += fetch_a_file;
    return price;
}

void Scheduler::start(Task& task, Provider& provider, Time now) {
    dequeue(task);
    const bool first = !provider.elsewhere && provider.running.size() >= provider.slots &&
                       task.tenant->running == 0;
    task.state = Task::State::running;
    task.provider = provider.id;
    task.begun = now;
    if (!provider.elsewhere) task.tried.push_back(provider.id);
    --task.tenant->waiting;
    --waiting_;
    ++task.tenant->running;
    provider.running.emplace(task.id, Time::max());
    relist(provider);
    events_.emplace_back(Dispatch{task.id, provider.id, first});
    expect(task, now);
}

void Scheduler::release(Provider& provider, TaskId task, Time now, bool measure) {
    if (provider.running.erase(task) == 0) return;
    if (const auto found = tasks_.find(task); measure && found != tasks_.end()) {
        const double took = seconds(now - found->second.begun);
        provider.mean =
            provider.measured ? provider.mean + mean_factor * (took - provider.mean) : took;
        provider.measured = true;
        learn(found->second, took);
    }
    relist(provider);
}

void Scheduler::relist(Provider& provider) {
    const auto busy = provider.running.size();
    if (provider.elsewhere)
        return list(elsewhere_, &Provider::in_elsewhere, provider,
                    provider.ready && busy < provider.slots);
    const bool free = provider.ready && busy < provider.slots;
    const bool quick = provider.ahead > 0 ||
                       (provider.measured && provider.mean < seconds(config_.prefetch_below));
    const bool full = provider.ready && !free && provider.slots > 0 && quick;
    const std::size_t room =
        provider.slots +
        std::size_t{config_.prefetch ? std::max(config_.prefetch, provider.ahead) : 0};
    list(free_, &Provider::in_free, provider, free);
    list(ahead_, &Provider::in_ahead, provider, full && busy < room);
    list(crowded_, &Provider::in_crowded, provider, full && busy < room + config_.prefetch);
}

void Scheduler::list(std::vector<Provider*>& where, std::size_t Provider::* place,
                     Provider& provider, bool wanted) {
    const auto index = provider.*place;
    if (wanted == (index != none)) return;
    if (wanted) {
        provider.*place = where.size();
        where.push_back(&provider);
        return;
    }
    where[index] = where.back();
    where[index]->*place = index;
    where.pop_back();
    provider.*place = none;
}

// --- providers

void Scheduler::joined(ProviderId id, Time now) {
    auto& provider = providers_[id];
    provider.id = id;
    provider.last_heard = now;
    provider.timer = now + config_.ping_interval;
    provider_timers_.emplace(provider.timer, id);
}

void Scheduler::joined_elsewhere(ProviderId id, Time now) {
    auto& provider = providers_[id];
    provider.id = id;
    provider.elsewhere = true;
    provider.last_heard = now;
    provider.timer = Time::max();
}

void Scheduler::joined_cloud(ProviderId id, Time now) {
    joined_elsewhere(id, now);
    providers_[id].cloud = true;
}

bool Scheduler::cloud(ProviderId id) const {
    const auto found = providers_.find(id);
    return found != providers_.end() && found->second.cloud;
}

bool Scheduler::elsewhere(ProviderId id) const {
    const auto found = providers_.find(id);
    return found != providers_.end() && found->second.elsewhere;
}

bool Scheduler::is_running(TaskId id) const {
    const auto found = tasks_.find(id);
    return found != tasks_.end() && found->second.state == Task::State::running;
}

bool Scheduler::runs_at(TaskId id, ProviderId provider) const {
    const auto found = tasks_.find(id);
    return found != tasks_.end() && found->second.runs_at(provider);
}

std::size_t Scheduler::spare() const {
    std::size_t sum = 0;
    for (const auto* provider : free_) sum += provider->slots - provider->running.size();
    return sum;
}

void Scheduler::ready(ProviderId id, Time now) {
    const auto found = providers_.find(id);
    if (found == providers_.end() || found->second.ready) return;
    found->second.ready = true;
    if (!found->second.elsewhere) {
        ++ready_count_;
        total_slots_ += found->second.slots;
    }
    relist(found->second);
    dispatch(now);
}

void Scheduler::slots(ProviderId id, std::uint32_t count, Time now, std::uint32_t ahead) {
    const auto found = providers_.find(id);
    if (found == providers_.end()) return;
    auto& provider = found->second;
    count = std::min(count, max_slots);
    ahead = std::min(ahead, count * max_ahead);
    if (provider.slots == count && provider.ahead == ahead) return;
    if (provider.ready && !provider.elsewhere) total_slots_ = total_slots_ - provider.slots + count;
    if (provider.cloud) cloud_slots_ = count;
    provider.slots = count;
    provider.ahead = ahead;
    relist(provider);
    dispatch(now);
}

void Scheduler::holds(ProviderId id, std::string_view file, bool held) {
    const auto found = providers_.find(id);
    if (found == providers_.end()) return;
    auto& files = found->second.files;
    const auto hash = hash_of(file);
    const auto at = std::ranges::lower_bound(files, hash);
    const bool known = at != files.end() && *at == hash;
    if (!held && known)
        files.erase(at);
    else if (held && !known && files.size() < max_files)
        files.insert(at, hash);
}

void Scheduler::heard(ProviderId id, Time now) {
    const auto found = providers_.find(id);
    if (found == providers_.end()) return;
    auto& provider = found->second;
    provider.last_heard = now;
    if (std::exchange(provider.pinged, false)) set_timer(provider, now + config_.ping_interval);
}

void Scheduler::left(ProviderId id, Time now) {
    const auto found = providers_.find(id);
    if (found == providers_.end()) return;
    drop(found->second, "provider went away", now);
    dispatch(now);
}

void Scheduler::drop(Provider& provider, std::string_view why, Time now) {
    if (provider.ready && !provider.elsewhere) {
        --ready_count_;
        total_slots_ -= provider.slots;
    }
    list(free_, &Provider::in_free, provider, false);
    list(ahead_, &Provider::in_ahead, provider, false);
    list(crowded_, &Provider::in_crowded, provider, false);
    list(elsewhere_, &Provider::in_elsewhere, provider, false);
    provider_timers_.erase({provider.timer, provider.id});
    const auto id = provider.id;
    const bool elsewhere = provider.elsewhere;
    const auto running = std::move(provider.running);
    providers_.erase(id);
    for (const auto& [task, cancelled] : running) {
        const auto found = tasks_.find(task);
        if (found == tasks_.end() || !found->second.runs_at(id)) continue;
        if (lose_copy(found->second, id)) continue;
        if (elsewhere) {
            put_back(found->second);
            enqueue(found->second, true);
            continue;
        }
        retry(found->second, Code::unavailable, std::string(why), now, true);
    }
}

void Scheduler::set_timer(Provider& provider, Time when) {
    if (when == provider.timer || provider.elsewhere) return;
    provider_timers_.erase({provider.timer, provider.id});
    provider.timer = when;
    provider_timers_.emplace(when, provider.id);
}

void Scheduler::provider_timer(Provider& provider, Time now) {
    const auto evict = [&](std::string why) {
        events_.emplace_back(Evict{provider.id, why});
        drop(provider, why, now);
    };
    auto next = Time::max();
    for (const auto& [task, cancelled] : provider.running) {
        if (cancelled == Time::max()) continue;
        if (now - cancelled >= config_.cancel_timeout)
            return evict(fmt::format("task {} was cancelled {:.0f} s ago and has not ended", task,
                                     seconds(now - cancelled)));
        next = std::min(next, cancelled + config_.cancel_timeout);
    }
    const auto silent = now - provider.last_heard;
    if (silent >= config_.ping_timeout)
        return evict(fmt::format("silent for {:.0f} s", seconds(silent)));
    // Those who are due within one step are asked together: one wake-up for many.
    const auto due = std::chrono::ceil<PingStep>(
        (provider.last_heard + config_.ping_interval).time_since_epoch());
    if (now.time_since_epoch() < due) {
        provider.pinged = false;
        next = std::min(next, Time(due));
    } else {
        if (!std::exchange(provider.pinged, true)) events_.emplace_back(Ping{provider.id});
        next = std::min(next, provider.last_heard + config_.ping_timeout);
    }
    set_timer(provider, next);
}

// --- time

void Scheduler::task_timer(Task& task, Time now) {
    if (now >= task.deadline) {
        tell_running_cancelled(task, "deadline exceeded", now);
        return fail_task(task, Code::deadline_exceeded, "deadline exceeded");
    }
    if (now >= task.late) return begin_copy(task, now);
    if (task.state != Task::State::paused) return;
    task_timers_.erase({task.wake, task.id});
    enqueue(task, true);
}

void Scheduler::tick(Time now) {
    while (!task_timers_.empty() && task_timers_.begin()->first <= now) {
        const auto [when, id] = *task_timers_.begin();
        const auto found = tasks_.find(id);
        if (found == tasks_.end())
            task_timers_.erase(task_timers_.begin());
        else
            task_timer(found->second, now);
    }
    while (!provider_timers_.empty() && provider_timers_.begin()->first <= now) {
        const auto found = providers_.find(provider_timers_.begin()->second);
        if (found == providers_.end())
            provider_timers_.erase(provider_timers_.begin());
        else
            provider_timer(found->second, now);
    }
    dispatch(now);
}

Time Scheduler::deadline() const {
    auto next = Time::max();
    if (!task_timers_.empty()) next = task_timers_.begin()->first;
    if (!provider_timers_.empty()) next = std::min(next, provider_timers_.begin()->first);
    return next;
}

bool Scheduler::poll(Event& event) {
    if (events_.empty()) return false;
    event = std::move(events_.front());
    events_.pop_front();
    return true;
}

}  // namespace strowger::broker
