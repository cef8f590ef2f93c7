#include "pbx/queue_attempt.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "pbx/dialplan/machine.hpp"

namespace strowger::pbx {

namespace {

using What = QueueAttempt::Outcome::What;

/// Members rung at once for one caller.
constexpr std::size_t max_legs = 256;
/// 302s followed in one attempt.
constexpr int max_redirections = 5;

std::string milliseconds_of(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

}  // namespace

QueueAttempt::QueueAttempt(Channel& caller, Queues& queues, Queue& queue, QueueCaller& place,
                           const OptionLetters& options, Bridge::Starter starter)
    : caller_(caller),
      queues_(queues),
      queue_(queue),
      place_(place),
      options_(options),
      starter_(std::move(starter)),
      events_(caller.core().loop) {
    caller_.listen(&events_);
}

QueueAttempt::~QueueAttempt() {
    caller_.listen(nullptr);
    for (const auto& leg : legs_) {
        leg.channel->listen(nullptr);
        --leg.member->ringing;
    }
}

Time QueueAttempt::deadline(Time app_limit) const {
    const auto& settings = queue_.settings();
    const Time own = settings.timeout == 0
                         ? Time::max()
                         : caller_.core().now() + std::chrono::seconds{settings.timeout};
    return settings.timeout_is_apps ? std::min(own, app_limit) : own;
}

Task<QueueAttempt::Outcome> QueueAttempt::run(Time app_limit) {
    Outcome outcome;
    groups_ = queue_.order(place_);
    Time until = deadline(app_limit);
    co_await ring_next_group();
    while (!legs_.empty()) {
        const auto item = co_await events_.next(until);
        if (!item) {
            for (const auto& leg : legs_)
                not_answered(leg, queue_.settings().autopause != config::Queue::AutoPause::no);
            hang_up_others(Cause::no_answer);
            co_return outcome;
        }
        if (item->channel.get() == &caller_) {
            const auto* digit = std::get_if<channel::Digit>(&item->event);
            if (digit && ends_by_digit && ends_by_digit(digit->digit)) {
                outcome.what = What::digit;
                outcome.digit = digit->digit;
            } else if (std::holds_alternative<channel::HungUp>(item->event) ||
                       std::holds_alternative<channel::Interrupted>(item->event)) {
                outcome.what = What::caller_left;
            } else {
                continue;
            }
            hang_up_others(Cause::normal_clearing);
            co_return outcome;
        }
        const auto channel = item->channel;
        if (std::holds_alternative<channel::Ringing>(item->event)) {
            co_await sound_ringing();
        } else if (std::holds_alternative<channel::Answered>(item->event)) {
            const auto leg = take(*channel);
            outcome.what = What::answered;
            outcome.agent = leg.channel;
            outcome.member = leg.member;
            outcome.rang = caller_.core().now() - leg.began;
            hang_up_others(Cause::answered_elsewhere);
            co_return outcome;
        } else if (const auto* moved = std::get_if<channel::Redirected>(&item->event)) {
            if (options_.has('i') || redirections_++ >= max_redirections) continue;
            const auto found = std::find_if(legs_.begin(), legs_.end(),
                                            [&](const Leg& leg) { return leg.channel == channel; });
            if (found == legs_.end()) continue;
            auto member = found->member;
            DialTarget next{
                "Local",
                moved->target + "@" +
                    caller_.variable("FORWARD_CONTEXT").value_or(caller_.position().context)};
            (void)co_await ring(std::move(member), std::move(next));
        } else if (const auto* gone = std::get_if<channel::HungUp>(&item->event)) {
            const auto leg = take(*channel);
            // One that was sent elsewhere rings on there.
            const bool rings_on = std::any_of(legs_.begin(), legs_.end(), [&](const Leg& other) {
                return other.member == leg.member;
            });
            if (!rings_on) refused(leg, gone->cause);
            if (queue_.settings().timeoutrestart) until = deadline(app_limit);
            if (legs_.empty()) co_await ring_next_group();
        }
    }
    co_return outcome;
}

Task<> QueueAttempt::ring_next_group() {
    while (legs_.empty() && next_group_ < groups_.size() && !caller_.hung_up()) {
        auto group = std::move(groups_[next_group_++]);
        for (auto& member : group) {
            if (legs_.size() >= max_legs || caller_.hung_up()) break;
            // Somebody else may have got it while the others were asked.
            if (!queue_.is_callable(*member)) continue;
            const auto targets = DialTarget::parse_list(member->interface);
            if (targets.empty()) continue;
            DialTarget target = targets.front();
            (void)co_await ring(std::move(member), std::move(target));
        }
    }
}

Task<bool> QueueAttempt::ring(std::shared_ptr<QueueMember> member, DialTarget target) {
    auto& core = caller_.core();
    const Time began = core.now();
    place_.last_tried = member->interface;
    queue_.rung(*member);
    ++member->ringing;  // before anything waits: others must not ring it as well
    std::string linkedid = caller_.linkedid();
    auto made = co_await OutgoingLeg::make(core, std::move(target), std::move(linkedid));
    if (!made) {
        --member->ringing;
        LOG_NOTICE(caller_.about(), "queue '{}': cannot ring {}: {}", queue_.name(),
                   member->interface, made.error().text());
        co_return false;
    }
    const auto channel = made->channel();
    introduce(*channel, *member);
    if (options_.has('b')) {
        std::string routine(options_.argument('b').value_or(""));
        std::replace(routine.begin(), routine.end(), '^', ',');
        (void)co_await dialplan::Machine::run_subroutine(*channel, std::move(routine));
    }
    if (channel->hung_up()) {
        --member->ringing;
        co_return false;
    }
    auto event = queues_.about(events::QueueChanged::What::agent_called, queue_, *member);
    event.channel = caller_.name();
    event.uniqueid = caller_.uniqueid();
    event.member_channel = channel->name();
    queues_.publish(std::move(event));
    // A Local leg may answer before `dial` returns.
    legs_.push_back({channel, member, began});
    channel->listen(&events_);
    rang_anybody_ = true;
    auto preferred = caller_.codecs();
    const auto dialled = co_await made->dial(starter_, std::move(preferred));
    if (dialled) co_return true;
    LOG_NOTICE(caller_.about(), "queue '{}': cannot ring {}: {}", queue_.name(), member->interface,
               dialled.error().text());
    (void)take(*channel);
    co_return false;
}

void QueueAttempt::introduce(Channel& leg, const QueueMember& member) const {
    leg.connected = caller_.caller;
    leg.dialled = caller_.position().exten;
    leg.caller.number = caller_.position().exten;
    if (const auto endpoint = leg.endpoint(); endpoint && !endpoint->callerid.number.empty())
        leg.caller = {endpoint->callerid.number, endpoint->callerid.name};
    caller_.inherit_to(leg);
    (void)leg.variables().set("QUEUENAME", queue_.name());
    (void)leg.variables().set("MEMBERINTERFACE", member.interface);
    leg.set_position(caller_.position());
}

// Option R: ringing instead of music as soon as a phone rings.
Task<> QueueAttempt::sound_ringing() {
    if (!options_.has('R') || sounds_ringing_) co_return;
    sounds_ringing_ = true;
    std::string tone = "ring";
    if (caller_.is_up())
        (void)co_await caller_.play_tone(std::move(tone));
    else
        caller_.ring();
}

QueueAttempt::Leg QueueAttempt::take(const Channel& channel) {
    const auto found = std::find_if(legs_.begin(), legs_.end(),
                                    [&](const Leg& leg) { return leg.channel.get() == &channel; });
    if (found == legs_.end()) return {};
    Leg leg = std::move(*found);
    legs_.erase(found);
    leg.channel->listen(nullptr);
    --leg.member->ringing;
    return leg;
}

void QueueAttempt::not_answered(const Leg& leg, bool pauses) {
    using AutoPause = config::Queue::AutoPause;
    const auto& settings = queue_.settings();
    const auto now = caller_.core().now();
    queues_.log(caller_.uniqueid(), queue_.name(), leg.member->name, "RINGNOANSWER",
                {milliseconds_of(now - leg.began)});
    auto event = queues_.about(events::QueueChanged::What::agent_no_answer, queue_, *leg.member);
    event.channel = caller_.name();
    event.uniqueid = caller_.uniqueid();
    event.member_channel = leg.channel->name();
    queues_.publish(std::move(event));
    if (!pauses || leg.member->paused) return;
    const std::chrono::seconds delay{settings.autopausedelay};
    if (leg.member->last_call && now - *leg.member->last_call < delay) return;
    const std::string interface = leg.member->interface;
    (void)queues_.pause(
        settings.autopause == AutoPause::all ? std::string_view() : std::string_view(queue_.name()),
        interface, true, "Auto-Pause");
}

void QueueAttempt::refused(const Leg& leg, Cause cause) {
    if (!leg.member) return;
    const auto& settings = queue_.settings();
    const bool busy = cause == Cause::user_busy || cause == Cause::call_rejected;
    not_answered(leg, busy ? settings.autopausebusy : settings.autopauseunavail);
}

void QueueAttempt::hang_up_others(Cause cause) {
    const bool elsewhere = cause == Cause::answered_elsewhere && !options_.has('C');
    const auto legs = std::exchange(legs_, {});
    for (const auto& leg : legs) {
        leg.channel->listen(nullptr);
        --leg.member->ringing;
        leg.channel->hangup(elsewhere ? Cause::normal_clearing : cause);
    }
}

}  // namespace strowger::pbx
