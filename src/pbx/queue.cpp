#include "pbx/queue.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/text.hpp"

namespace strowger::pbx {

namespace {

using config::QueueRule;
using Strategy = config::Queue::Strategy;

std::optional<int> changed(std::optional<int> value, const std::optional<QueueRule::Limit>& by) {
    if (!by) return value;
    if (!by->relative) return std::max(by->value, 0);
    // As the rules say: what the dialplan has not set stays open.
    return value ? std::optional(std::max(*value + by->value, 0)) : std::nullopt;
}

}  // namespace

std::string_view text_of(Strategy strategy) {
    static constexpr std::array<std::string_view, 8> names{"ringall", "leastrecent", "fewestcalls",
                                                           "random",  "rrmemory",    "rrordered",
                                                           "linear",  "wrandom"};
    return names[static_cast<std::size_t>(strategy)];
}

void PenaltyLimits::apply(const QueueRule::Change& change) {
    max = changed(max, change.max);
    min = changed(min, change.min);
    raise = changed(raise, change.raise).value_or(0);
    if (min && max && *min > *max) min = max;
}

void Queue::configure(std::shared_ptr<const config::Queue> settings, Time now) {
    settings_ = std::move(settings);
    for (const auto& member : members_) member->in_file = false;
    std::vector<std::shared_ptr<QueueMember>> listed;
    for (const auto& line : settings_->members) {
        auto member = find(line.interface);
        if (member && (member->dynamic || member->in_file)) continue;
        if (!member) {
            member = std::make_shared<QueueMember>();
            member->interface = line.interface;
            member->since = now;
            member->paused = line.paused;
        }
        member->name = line.name.empty() ? line.interface : line.name;
        member->state_interface =
            line.state_interface.empty() ? line.interface : line.state_interface;
        member->penalty = line.penalty;
        member->own_ring_in_use = line.ringinuse;
        member->wrapuptime = line.wrapuptime;
        member->in_file = true;
        listed.push_back(std::move(member));
    }
    for (const auto& member : members_)
        if (member->dynamic) listed.push_back(member);
    members_ = std::move(listed);
    for (const auto& member : members_)
        member->ring_in_use = member->own_ring_in_use.value_or(settings_->ringinuse);
}

std::shared_ptr<QueueMember> Queue::find(std::string_view interface) const {
    for (const auto& member : members_)
        if (iequals(member->interface, interface)) return member;
    return nullptr;
}

void Queue::remove(const QueueMember& member) {
    std::erase_if(members_, [&](const auto& other) { return other.get() == &member; });
}

void Queue::join(QueueCaller& caller, std::optional<unsigned> position) {
    auto place = std::find_if(callers_.begin(), callers_.end(), [&](const QueueCaller* other) {
        return other->priority < caller.priority;
    });
    if (position && *position > 0) {
        // Not before those with a higher priority, and not behind those with a lower one.
        const auto wanted = std::min<std::size_t>(*position - 1, callers_.size());
        auto first = callers_.begin();
        while (first != place && (*first)->priority > caller.priority) ++first;
        place = std::clamp(callers_.begin() + static_cast<std::ptrdiff_t>(wanted), first, place);
    }
    callers_.insert(place, &caller);
    caller.original_position = position_of(caller);
}

void Queue::leave(const QueueCaller& caller) { std::erase(callers_, &caller); }

unsigned Queue::position_of(const QueueCaller& caller) const {
    const auto found = std::find(callers_.begin(), callers_.end(), &caller);
    return found == callers_.end() ? 0 : static_cast<unsigned>(found - callers_.begin()) + 1;
}

void Queue::wake() {
    const auto before = callers_;  // some may leave by what they see
    for (auto* const caller : before)
        if (caller->wake && position_of(*caller) > 0) caller->wake();
}

Duration Queue::wrapup_left(const QueueMember& member) const {
    const auto wrapup = std::chrono::seconds{member.wrapuptime.value_or(settings_->wrapuptime)};
    if (!member.last_call) return {};
    return std::max<Duration>(*member.last_call + wrapup - now_(), {});
}

std::uint8_t Queue::absences(const QueueMember& member, const PenaltyLimits& limits) const {
    using Q = config::Queue;
    std::uint8_t why = 0;
    if (member.paused) why |= Q::paused;
    if (!limits.allow(member.penalty)) why |= Q::penalty;
    if (wrapup_left(member) > Duration{}) why |= Q::wrapup;
    switch (state_(member)) {
        case DeviceState::invalid: why |= Q::invalid; break;
        case DeviceState::unavailable: why |= Q::unavailable; break;
        case DeviceState::inuse:
        case DeviceState::busy:
        case DeviceState::onhold: why |= Q::inuse; break;
        case DeviceState::ringing: why |= Q::ringing; break;
        case DeviceState::ringinuse: why |= Q::ringing | Q::inuse; break;
        case DeviceState::unknown: why |= Q::unknown; break;
        case DeviceState::not_inuse: break;
    }
    return why;
}

bool Queue::is_empty(std::uint8_t conditions, const PenaltyLimits& limits) const {
    if (conditions == 0) return false;
    return std::all_of(members_.begin(), members_.end(), [&](const auto& member) {
        return (absences(*member, limits) & conditions) != 0;
    });
}

bool Queue::is_callable(const QueueMember& member) const {
    if (member.paused || wrapup_left(member) > Duration{}) return false;
    if (!member.ring_in_use && (member.in_call || member.ringing > 0)) return false;
    switch (state_(member)) {
        case DeviceState::not_inuse:
        case DeviceState::unknown: break;
        case DeviceState::inuse:
        case DeviceState::ringing:
        case DeviceState::ringinuse:
        case DeviceState::onhold:
            if (!member.ring_in_use) return false;
            break;
        case DeviceState::busy:
        case DeviceState::unavailable:
        case DeviceState::invalid: return false;
    }
    return !is_wanted_elsewhere || !is_wanted_elsewhere(*this, member);
}

bool Queue::is_turn_of(const QueueCaller& caller) const {
    std::size_t free = 0;
    for (const auto& member : members_)
        free +=
            caller.limits.allow(member->penalty) && member->ringing == 0 && is_callable(*member);
    if (free == 0) return false;
    // Ringing everybody serves one caller at a time.
    const bool one_by_one = !settings_->autofill || settings_->strategy == Strategy::ringall;
    if (one_by_one) free = 1;
    std::size_t ahead = 0;
    for (const auto* other : callers_) {
        if (other == &caller) return ahead < free;
        ahead += !other->is_being_connected && (one_by_one || !other->is_ringing);
    }
    return false;
}

int Queue::metric_penalty(const QueueMember& member, const PenaltyLimits& limits) const {
    const bool counts = static_cast<int>(members_.size()) > settings_->penaltymemberslimit ||
                        settings_->penaltymemberslimit == 0;
    return counts ? std::max(member.penalty, limits.raise) : 0;
}

Queue::Groups Queue::order(const QueueCaller& caller) const {
    struct Candidate {
        std::shared_ptr<QueueMember> member;
        int penalty;
        std::int64_t metric;
    };
    const auto strategy = settings_->strategy;
    // Round robin and linear go on behind the one that was rung last.
    const auto& last = strategy == Strategy::linear ? caller.last_tried : last_rung_;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < members_.size(); ++i)
        if (members_[i]->interface == last) begin = i + 1;
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < members_.size(); ++i) {
        const auto& member = members_[i];
        if (!caller.limits.allow(member->penalty) || !is_callable(*member)) continue;
        Candidate candidate{member, metric_penalty(*member, caller.limits), 0};
        switch (strategy) {
            case Strategy::ringall: break;
            case Strategy::rrmemory:
            case Strategy::rrordered:
            case Strategy::linear:
                candidate.metric = static_cast<std::int64_t>(
                    (i + members_.size() - begin % members_.size()) % members_.size());
                break;
            case Strategy::fewestcalls: candidate.metric = member->calls; break;
            case Strategy::leastrecent:
                candidate.metric = member->last_call ? member->last_call->time_since_epoch().count()
                                                     : std::numeric_limits<std::int64_t>::min();
                break;
            case Strategy::random:
                candidate.metric = static_cast<std::int64_t>(random_.below(1000));
                break;
            case Strategy::wrandom:
                // The penalty is a weight here, and nothing else.
                candidate.metric = static_cast<std::int64_t>(
                    random_.below(1000 * (static_cast<std::uint64_t>(candidate.penalty) + 1)));
                candidate.penalty = 0;
                break;
        }
        candidates.push_back(std::move(candidate));
    }
    std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
        return std::pair(a.penalty, a.metric) < std::pair(b.penalty, b.metric);
    });
    Groups groups;
    int penalty = 0;
    for (auto& candidate : candidates) {
        const bool joins =
            strategy == Strategy::ringall && !groups.empty() && candidate.penalty == penalty;
        if (!joins) groups.emplace_back();
        penalty = candidate.penalty;
        groups.back().push_back(std::move(candidate.member));
    }
    return groups;
}

void Queue::reset_statistics() {
    statistics_ = {};
    for (const auto& member : members_) {
        member->calls = 0;
        member->last_call.reset();
    }
}

void Queue::connected_after(Duration hold) {
    average(statistics_.hold, hold);
    ++statistics_.completed;
    if (hold <= std::chrono::seconds{settings_->servicelevel}) ++statistics_.completed_in_time;
}

void Queue::abandoned_after(Duration hold) {
    ++statistics_.abandoned;
    if (hold <= std::chrono::seconds{settings_->servicelevel}) ++statistics_.abandoned_in_time;
}

double Queue::service_level() const {
    if (statistics_.completed == 0) return 0;
    return 100.0 * statistics_.completed_in_time / statistics_.completed;
}

}  // namespace strowger::pbx
