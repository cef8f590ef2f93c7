// Queue: a caller waits in line until an agent answers.

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "pbx/app_dial.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"
#include "pbx/queue_announcement.hpp"
#include "pbx/queue_attempt.hpp"
#include "pbx/queues.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;
using What = events::QueueChanged::What;

/// What changes without anybody telling (a wrapup time that ends) is noticed this late.
constexpr Duration look_interval = std::chrono::seconds{1};

std::string whole_seconds(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

std::string caret_to_comma(std::string_view text) {
    std::string result(text);
    std::replace(result.begin(), result.end(), '^', ',');
    return result;
}

/// Queue's arguments.
struct Terms {
    std::string queue;
    OptionLetters options;
    std::string announce, agi, gosub, rule;
    std::optional<Duration> timeout;
    std::optional<unsigned> position;

    // queue[,options[,URL[,announce[,timeout[,AGI[,macro[,gosub[,rule[,position]]]]]]]]]. There are
    // no macros; a subroutine in their place does as well.
    static Terms parse(std::string_view text) {
        const auto arguments = dialplan::split_arguments(text);
        Terms terms{std::string(trim(argument(arguments, 0))),
                    OptionLetters(argument(arguments, 1)),
                    std::string(trim(argument(arguments, 3))),
                    std::string(trim(argument(arguments, 5))),
                    {},
                    {},
                    parse_seconds(argument(arguments, 4)),
                    {}};
        terms.gosub = trim(argument(arguments, argument(arguments, 7).empty() ? 6 : 7));
        terms.rule = trim(argument(arguments, 8));
        terms.position = parse_number<unsigned>(trim(argument(arguments, 9)));
        if (terms.timeout == Duration{}) terms.timeout.reset();
        return terms;
    }
};

/// One caller's time in a queue. In line as long as it exists, unless taken out before.
class Visit {
public:
    Visit(Channel& caller, Queues& queues, Queue& queue, const Terms& terms,
          Bridge::Starter starter)
        : caller_(caller),
          core_(caller.core()),
          queues_(queues),
          kept_(queue.shared_from_this()),
          queue_(queue),
          terms_(terms),
          starter_(std::move(starter)) {}
    ~Visit() { queue_.leave(place_); }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

    Task<AppResult> run() {
        read_limits();
        if (!may_join()) co_return AppResult::proceed;
        if (terms_.options.has('B')) {
            std::string routine = caret_to_comma(terms_.options.argument('B').value_or(""));
            (void)co_await dialplan::Machine::run_subroutine(caller_, std::move(routine));
            if (caller_.hung_up()) co_return AppResult::hangup;
            if (!may_join()) co_return AppResult::proceed;  // others came meanwhile
        }
        join();
        if (!terms_.options.has('r') && !co_await open_media(caller_, false)) co_return abandon();
        co_await entertain();
        const Time until = terms_.timeout ? place_.joined + *terms_.timeout : Time::max();
        for (;;) {
            if (caller_.hung_up()) co_return abandon();
            if (caller_.interrupted() != Call::Interrupt::none) co_return sent_away();
            if (core_.now() >= until) co_return time_is_over();
            apply_rule();
            if (queue_.is_empty(queue_.settings().leavewhenempty, place_.limits))
                co_return nobody_left();
            std::string announcement = due_announcement();
            if (!announcement.empty()) {
                const auto digit = co_await announce(std::move(announcement));
                if (digit && leads_out(*digit)) co_return leave_by_digit();
                continue;
            }
            if (core_.now() >= retry_at_ && queue_.is_turn_of(place_)) {
                auto outcome = co_await attempt(until);
                using Met = QueueAttempt::Outcome::What;
                const auto met = outcome.what;
                if (met == Met::digit) co_return leave_by_digit();
                if (met == Met::answered) {
                    const auto result = co_await connect(std::move(outcome));
                    if (result) co_return *result;
                }
                if (caller_.hung_up() || met == Met::caller_left) continue;
                if (rang_anybody_ && terms_.options.has('n')) co_return time_is_over();
                retry_at_ =
                    core_.now() +
                    (rang_anybody_ ? std::chrono::seconds{queue_.settings().retry} : look_interval);
                if (terms_.options.has('R')) co_await entertain();
                continue;
            }
            const auto digit = co_await pause(until);
            if (digit && leads_out(*digit)) co_return leave_by_digit();
        }
    }

private:
    Task<QueueAttempt::Outcome> attempt(Time until) {
        QueueAttempt attempt(caller_, queues_, queue_, place_, terms_.options, starter_);
        attempt.ends_by_digit = [this](char digit) { return leads_out(digit); };
        place_.is_ringing = true;
        auto outcome = co_await attempt.run(until);
        place_.is_ringing = false;
        rang_anybody_ = attempt.rang_anybody();
        co_return outcome;
    }

    std::optional<int> number(std::string_view variable) const {
        const auto text = caller_.variable(variable);
        return text ? parse_number<int>(trim(*text)) : std::nullopt;
    }

    void read_limits() {
        place_.limits.max = number("QUEUE_MAX_PENALTY");
        place_.limits.min = number("QUEUE_MIN_PENALTY");
        place_.limits.raise = number("QUEUE_RAISE_PENALTY").value_or(0);
        place_.priority = number("QUEUE_PRIO").value_or(0);
        const auto& name = terms_.rule.empty() ? queue_.settings().defaultrule : terms_.rule;
        // The rule counts as it was when the caller came, whatever a reload does.
        if (const auto* rule = core_.config->queue_rules.find(name)) rule_ = rule->changes;
    }

    bool may_join() {
        const auto& settings = queue_.settings();
        if (settings.maxlen > 0 && queue_.callers().size() >= settings.maxlen) {
            queues_.log(caller_.uniqueid(), queue_.name(), {}, "FULL");
            return refuse("FULL");
        }
        if (queue_.is_empty(settings.joinempty, place_.limits)) {
            queues_.log(caller_.uniqueid(), queue_.name(), {}, "JOINEMPTY");
            return refuse("JOINEMPTY");
        }
        return true;
    }

    bool refuse(std::string status) {
        set("QUEUESTATUS", std::move(status));
        return false;
    }

    void join() {
        place_.channel = caller_.name();
        place_.uniqueid = caller_.uniqueid();
        place_.number = caller_.caller.number;
        place_.name = caller_.caller.name;
        place_.joined = core_.now();
        // Any event makes it look; it is put where the caller's own ones go.
        place_.wake = [this] {
            if (caller_.inbox().empty())
                caller_.inbox().channel_event(caller_, channel::Progress{});
        };
        queue_.join(place_, terms_.position);
        const auto& settings = queue_.settings();
        next_periodic_ =
            place_.joined + std::chrono::seconds{settings.periodic_announce_startdelay.value_or(
                                settings.periodic_announce_frequency)};
        const auto& general = core_.config->queue_general;
        const bool shown = !caller_.caller.restricted || general.log_restricted_caller_id;
        queues_.log(
            caller_.uniqueid(), queue_.name(), {}, "ENTERQUEUE",
            {{},
             shown ? caller_.caller.number : std::string(),
             std::to_string(place_.original_position),
             shown && general.enable_cidname_logging ? caller_.caller.name : std::string()});
        tell(What::caller_joined);
    }

    void tell(What what, const QueueMember* member = nullptr, const Channel* agent = nullptr,
              Duration talk = {}) {
        events::QueueChanged event{};
        if (member) event = queues_.about(what, queue_, *member);
        event.what = what;
        event.queue = queue_.name();
        event.channel = caller_.name();
        event.uniqueid = caller_.uniqueid();
        if (agent) event.member_channel = agent->name();
        event.position = queue_.position_of(place_);
        event.original_position = place_.original_position;
        event.count = queue_.callers().size();
        event.hold = held();
        event.talk = talk;
        queues_.publish(std::move(event));
    }

    Duration held() const { return (connected_at_ ? *connected_at_ : core_.now()) - place_.joined; }

    void set(std::string_view name, std::string value) {
        (void)caller_.variables().set(name, std::move(value));
    }

    // Music, or with option r ringing.
    Task<> entertain() {
        std::string tone = "ring";
        const auto& own = queue_.settings().musicclass;
        // What was set on the channel outranks the queue's.
        std::string music = caller_.music_class == "default" && !own.empty() ? own : std::string();
        if (!terms_.options.has('r'))
            (void)co_await caller_.start_music(std::move(music));
        else if (caller_.is_up())
            (void)co_await caller_.play_tone(std::move(tone));
        else
            caller_.ring();
    }

    void apply_rule() {
        const auto waited = core_.now() - place_.joined;
        while (next_change_ < rule_.size() &&
               waited >= std::chrono::seconds{rule_[next_change_].after}) {
            place_.limits.apply(rule_[next_change_++]);
            set("QUEUE_MAX_PENALTY",
                place_.limits.max ? std::to_string(*place_.limits.max) : std::string());
            set("QUEUE_MIN_PENALTY",
                place_.limits.min ? std::to_string(*place_.limits.min) : std::string());
            set("QUEUE_RAISE_PENALTY", std::to_string(place_.limits.raise));
        }
    }

    // The next thing to say, or nothing.
    std::string due_announcement() {
        const auto& settings = queue_.settings();
        const auto now = core_.now();
        auto text = position_is_due() ? position_announcement() : std::string();
        if (!text.empty() || settings.periodic_announce_frequency == 0 || now < next_periodic_ ||
            settings.periodic_announce.empty())
            return text;
        auto& prompts = settings.periodic_announce;
        const auto index = settings.random_periodic_announce ? core_.random.below(prompts.size())
                                                             : next_prompt_++ % prompts.size();
        next_periodic_ = now + std::chrono::seconds{settings.periodic_announce_frequency};
        periodic_plays_ = true;
        return prompts[index];
    }

    bool position_is_due() const {
        const auto& settings = queue_.settings();
        if (settings.announce_frequency == 0) return false;
        if (!announced_at_) return true;
        const auto since = core_.now() - *announced_at_;
        if (since < std::chrono::seconds{settings.min_announce_frequency}) return false;
        return queue_.position_of(place_) != announced_position_ ||
               since >= std::chrono::seconds{settings.announce_frequency};
    }

    std::string position_announcement() {
        using Holdtime = config::Queue::AnnounceHoldtime;
        const auto& settings = queue_.settings();
        const auto position = queue_.position_of(place_);
        const bool worse =
            settings.announce_position_only_up && announced_at_ && position >= announced_position_;
        announced_at_ = core_.now();
        if (worse) return {};
        const bool tells_hold =
            settings.announce_holdtime == Holdtime::yes ||
            (settings.announce_holdtime == Holdtime::once && announced_position_ == 0);
        announced_position_ = position;
        const auto left = std::max<Duration>(queue_.statistics().hold - held(), {});
        return queue_announcement(settings, position, tells_hold ? left : Duration{},
                                  Speech::of(caller_.language));
    }

    // Says it, then goes on with the music. A digit that could lead out of the queue ends it.
    Task<std::optional<char>> announce(std::string names) {
        auto prompts = find_prompts(caller_, names);
        std::optional<char> pressed;
        if (!prompts.paths.empty()) {
            std::string interrupting = queue_.settings().context.empty() ? "" : "any";
            const auto played =
                co_await caller_.play_and_wait(std::move(prompts.paths), std::move(interrupting));
            if (played.digit) pressed = played.digit;
        }
        if (std::exchange(periodic_plays_, false) && queue_.settings().relative_periodic_announce)
            next_periodic_ =
                core_.now() + std::chrono::seconds{queue_.settings().periodic_announce_frequency};
        if (!caller_.hung_up()) co_await entertain();
        co_return pressed;
    }

    Task<std::optional<char>> pause(Time until) {
        Time next = std::min(until, core_.now() + look_interval);
        if (retry_at_ > core_.now()) next = std::min(next, retry_at_);
        const auto item = co_await caller_.inbox().next(next);
        if (!item) co_return std::nullopt;
        const auto* digit = std::get_if<channel::Digit>(&item->event);
        co_return digit ? std::optional(digit->digit) : std::nullopt;
    }

    // Digits collect as long as they may become an extension of the queue's context.
    bool leads_out(char digit) {
        if (digit == '*' && terms_.options.has('H')) caller_.hangup(Cause::normal_clearing);
        const auto& context = queue_.settings().context;
        if (context.empty()) return false;
        digits_ += digit;
        const auto plan = caller_.dialplan();
        if (plan->exists(context, digits_, caller_.query())) return true;
        if (!plan->could_match_longer(context, digits_, caller_.query())) digits_.clear();
        return false;
    }

    AppResult leave_by_digit() {
        const auto position = queue_.position_of(place_);
        queues_.log(caller_.uniqueid(), queue_.name(), {}, "EXITWITHKEY",
                    {digits_, std::to_string(position), std::to_string(place_.original_position),
                     whole_seconds(held())});
        leave({});
        caller_.jump({queue_.settings().context, digits_, 1});
        return AppResult::proceed;
    }

    // Out of the line without having talked to anybody.
    void leave(std::string status) {
        set("QUEUEPOSITION", std::to_string(queue_.position_of(place_)));
        set("ABANDONED", "TRUE");
        if (!status.empty()) set("QUEUESTATUS", std::move(status));
        if (queue_.settings().setqueuevar) set_queue_variables(caller_);
        queue_.leave(place_);
        tell(What::caller_left);
        queues_.wake_soon();
    }

    AppResult sent_away() {
        leave({});
        return AppResult::proceed;
    }

    AppResult abandon() {
        const auto position = queue_.position_of(place_);
        queues_.log(caller_.uniqueid(), queue_.name(), {}, "ABANDON",
                    {std::to_string(position), std::to_string(place_.original_position),
                     whole_seconds(held())});
        queue_.abandoned_after(held());
        tell(What::caller_abandoned);
        leave({});
        return AppResult::hangup;
    }

    AppResult time_is_over() {
        queues_.log(caller_.uniqueid(), queue_.name(), {}, "EXITWITHTIMEOUT",
                    {std::to_string(queue_.position_of(place_)),
                     std::to_string(place_.original_position), whole_seconds(held())});
        leave("TIMEOUT");
        return AppResult::proceed;
    }

    AppResult nobody_left() {
        queues_.log(caller_.uniqueid(), queue_.name(), {}, "EXITEMPTY",
                    {std::to_string(queue_.position_of(place_)),
                     std::to_string(place_.original_position), whole_seconds(held())});
        leave("LEAVEEMPTY");
        return AppResult::proceed;
    }

    void set_queue_variables(Channel& channel) const {
        const auto& settings = queue_.settings();
        const auto& statistics = queue_.statistics();
        const auto put = [&](std::string_view name, std::string value) {
            (void)channel.variables().set(name, std::move(value));
        };
        put("QUEUENAME", queue_.name());
        put("QUEUEMAX", std::to_string(settings.maxlen));
        put("QUEUESTRATEGY", std::string(text_of(settings.strategy)));
        put("QUEUECALLS", std::to_string(queue_.callers().size()));
        put("QUEUEHOLDTIME", whole_seconds(statistics.hold));
        put("QUEUETALKTIME", whole_seconds(statistics.talk));
        put("QUEUECOMPLETED", std::to_string(statistics.completed));
        put("QUEUEABANDONED", std::to_string(statistics.abandoned));
        put("QUEUESRVLEVEL", std::to_string(settings.servicelevel));
        put("QUEUESRVLEVELPERF", fmt::format("{:.1f}", queue_.service_level()));
    }

    void set_variables(Channel& channel, const QueueMember& member) const {
        const auto& settings = queue_.settings();
        const auto put = [&](std::string_view name, std::string value) {
            (void)channel.variables().set(name, std::move(value));
        };
        if (settings.setinterfacevar) {
            put("MEMBERINTERFACE", member.interface);
            put("MEMBERNAME", member.name);
            put("MEMBERCALLS", std::to_string(member.calls));
            put("MEMBERLASTCALL", member.last_call
                                      ? std::to_string(std::chrono::floor<std::chrono::seconds>(
                                                           core_.environment.clock() -
                                                           (core_.now() - *member.last_call))
                                                           .time_since_epoch()
                                                           .count())
                                      : std::string("0"));
            put("MEMBERPENALTY", std::to_string(member.penalty));
            put("MEMBERDYNAMIC", member.dynamic ? "1" : "0");
            put("MEMBERREALTIME", "0");
        }
        if (settings.setqueueentryvar) {
            put("QEHOLDTIME", whole_seconds(held()));
            put("QEORIGINALPOS", std::to_string(place_.original_position));
        }
        if (settings.setqueuevar) set_queue_variables(channel);
    }

    // What the agent hears before the caller. False: it hung up.
    Task<bool> prepare(ChannelPtr agent) {
        const auto& settings = queue_.settings();
        if (settings.memberdelay > 0 &&
            !co_await agent->wait(std::chrono::seconds{settings.memberdelay}))
            co_return false;
        std::string names;
        if (settings.reportholdtime)
            names = hold_report(settings, held(), Speech::of(agent->language));
        const auto& sound = terms_.announce.empty() ? settings.announce : terms_.announce;
        if (!sound.empty()) (names += names.empty() ? "" : "&") += sound;
        if (!names.empty()) {
            auto prompts = find_prompts(*agent, names);
            if (!prompts.paths.empty())
                (void)co_await agent->play_and_wait(std::move(prompts.paths));
        }
        co_return !agent->hung_up();
    }

    Task<> run_routines(ChannelPtr agent) {
        if (!terms_.agi.empty() && core_.environment.applications.find("AGI")) {
            std::string agi = terms_.agi;
            (void)co_await dialplan::Machine::execute(caller_, "AGI", std::move(agi));
        }
        auto routine = terms_.gosub.empty() ? queue_.settings().membergosub : terms_.gosub;
        if (routine.empty()) co_return;
        routine = caret_to_comma(routine);
        // "context[,arg...]": its s,1 is run.
        const auto [context, arguments] = split_once(routine, ',');
        std::string target = routine.find('(') != std::string::npos
                                 ? routine
                                 : fmt::format("{},s,1({})", context, arguments);
        (void)co_await dialplan::Machine::run_subroutine(*agent, std::move(target));
    }

    Task<> record() {
        const auto& format = queue_.settings().monitor_format;
        if (format.empty()) co_return;
        auto name = caller_.variable("MONITOR_FILENAME").value_or("");
        if (name.empty()) name = caller_.uniqueid();
        std::string arguments = fmt::format("{}.{},{},{}", name, format,
                                            caller_.variable("MONITOR_OPTIONS").value_or(""),
                                            caller_.variable("MONITOR_EXEC").value_or(""));
        (void)co_await dialplan::Machine::execute(caller_, "MixMonitor", std::move(arguments));
    }

    // An agent has answered. Nothing when he was gone before he heard the caller.
    Task<std::optional<AppResult>> connect(QueueAttempt::Outcome met) {
        const auto agent = met.agent;
        const auto member = met.member;
        place_.is_being_connected = true;
        ++member->ringing;  // nobody else is to have him meanwhile
        const bool ready = co_await prepare(agent);
        --member->ringing;
        place_.is_being_connected = false;
        if (!ready && !caller_.hung_up()) {
            queues_.log(caller_.uniqueid(), queue_.name(), member->name, "AGENTDUMP");
            tell(What::agent_dumped, member.get(), agent.get());
            co_return std::nullopt;
        }
        if (caller_.hung_up() || caller_.interrupted() != Call::Interrupt::none) {
            agent->hangup(Cause::normal_clearing);
            co_return std::nullopt;
        }
        member->in_call = true;
        co_return co_await talk(agent, member, met.rang);
    }

    Task<AppResult> talk(ChannelPtr agent, std::shared_ptr<QueueMember> member, Duration rang) {
        connected_at_ = core_.now();
        const auto position = queue_.position_of(place_);
        queue_.leave(place_);
        queue_.connected_after(held());
        set("QUEUEPOSITION", std::to_string(position));
        set("DIALEDPEERNUMBER", member->interface);
        set("DIALEDPEERNAME", agent->name());
        for (auto* channel : {&caller_, agent.get()}) set_variables(*channel, *member);
        queues_.log(caller_.uniqueid(), queue_.name(), member->name, "CONNECT",
                    {whole_seconds(held()), agent->uniqueid(), whole_seconds(rang)});
        tell(What::caller_left);
        tell(What::agent_connected, member.get(), agent.get());
        queues_.wake_soon();
        const auto result = co_await bridge_them(agent, member);
        queues_.call_ended(queue_, *member);
        co_return result;
    }

    Task<AppResult> bridge_them(ChannelPtr agent, std::shared_ptr<QueueMember> member) {
        co_await caller_.match(agent->codecs());
        const auto answered = co_await caller_.answer();
        if (!answered || caller_.hung_up()) {
            agent->hangup(Cause::normal_clearing);
            co_return ended(*agent, *member,
                            {Released::Why::self_gone, Cause::normal_clearing, {}});
        }
        co_await caller_.stop_playing();
        if (const auto& sound = queue_.settings().queue_callerannounce; !sound.empty()) {
            auto prompts = find_prompts(caller_, sound);
            if (!prompts.paths.empty())
                (void)co_await caller_.play_and_wait(std::move(prompts.paths));
        }
        co_await run_routines(agent);
        co_await record();
        agent->caller.name = agent->caller.name.empty() ? member->name : agent->caller.name;
        // Option I: the caller's phone is not told who it is.
        if (!terms_.options.has('I')) caller_.connected = agent->caller;
        ChannelPtr self = caller_.shared_from_this();
        auto joined = co_await Bridge::join(core_, starter_, self, agent);
        if (!joined) {
            LOG_WARNING(caller_.about(), "cannot join {} and {}: {}", caller_.name(), agent->name(),
                        joined.error().text());
            agent->hangup(Cause::normal_circuit_congestion);
            co_return ended(*agent, *member,
                            {Released::Why::peer_gone, Cause::normal_circuit_congestion, {}});
        }
        const auto bridge = *joined;
        joined->reset();
        bridge->allow(caller_, caller_features(terms_.options));
        bridge->allow(*agent, callee_features(terms_.options));
        bridge->keep_last(terms_.options.has('F'));
        const auto released = co_await bridge->talk(self);
        bridge->keep_last(false);
        if (terms_.options.has('F') && caller_.hung_up() && bridge->has(*agent))
            send_on(*bridge, agent);
        co_return ended(*agent, *member, released);
    }

    // Option F: the agent goes on when the caller has left.
    void send_on(Bridge& bridge, ChannelPtr agent) {
        const auto text = caret_to_comma(terms_.options.argument('F').value_or(""));
        auto next = caller_.position();
        ++next.priority;
        const auto place = text.empty() ? Result<dialplan::Position>(next)
                                        : dialplan::Machine::resolve(caller_, text);
        if (!place) {
            LOG_WARNING(caller_.about(), "Queue option F: {}", place.error().text());
            bridge.close();
            return;
        }
        if (bridge.step_out(*agent)) starter_(agent, *place);
    }

    AppResult ended(const Channel& agent, const QueueMember& member, const Released& released) {
        const Duration talked = core_.now() - *connected_at_;
        const auto hold = whole_seconds(held());
        const auto talk = whole_seconds(talked);
        const auto origin = std::to_string(place_.original_position);
        const bool transferred =
            released.why == Released::Why::transferred && released.target.has_value();
        const bool by_caller = released.why == Released::Why::self_gone ||
                               released.why == Released::Why::feature_hangup;
        if (transferred)
            queues_.log(caller_.uniqueid(), queue_.name(), member.name, "BLINDTRANSFER",
                        {released.target->exten, released.target->context, hold, talk, origin});
        else
            queues_.log(caller_.uniqueid(), queue_.name(), member.name,
                        by_caller ? "COMPLETECALLER" : "COMPLETEAGENT", {hold, talk, origin});
        queue_.completed_after(talked);
        auto event = queues_.about(What::agent_completed, queue_, member);
        event.channel = caller_.name();
        event.uniqueid = caller_.uniqueid();
        event.member_channel = agent.name();
        event.hold = held();
        event.talk = talked;
        event.reason = transferred ? "transfer" : by_caller ? "caller" : "agent";
        queues_.publish(std::move(event));
        caller_.cause = released.cause;
        if (caller_.hung_up()) return AppResult::hangup;
        if (transferred) {
            caller_.jump(*released.target);
            return AppResult::proceed;
        }
        if (caller_.interrupted() != Call::Interrupt::none) return AppResult::proceed;
        if (!by_caller && terms_.options.has('c')) {
            set("QUEUESTATUS", "CONTINUE");
            return AppResult::proceed;
        }
        return AppResult::hangup;
    }

    Channel& caller_;
    Core& core_;
    Queues& queues_;
    std::shared_ptr<Queue> kept_;  // with the set of queues, from which a reload may take it
    Queue& queue_;
    const Terms& terms_;
    Bridge::Starter starter_;
    QueueCaller place_;
    std::vector<config::QueueRule::Change> rule_;
    std::size_t next_change_ = 0;
    Time retry_at_{};
    bool rang_anybody_ = false;
    std::optional<Time> announced_at_, connected_at_;
    unsigned announced_position_ = 0;
    Time next_periodic_{};
    std::size_t next_prompt_ = 0;
    bool periodic_plays_ = false;
    std::string digits_;
};

Task<AppResult> queue(Call& call, std::string_view args, Bridge::Starter starter) {
    auto& channel = static_cast<Channel&>(call);
    const ChannelPtr keep = channel.shared_from_this();
    const auto terms = Terms::parse(args);
    auto* const queues = channel.core().queues;
    auto* const wanted = queues ? queues->find(terms.queue) : nullptr;
    for (const auto* name : {"QUEUESTATUS", "ABANDONED"}) channel.variables().erase(name);
    if (!wanted) {
        channel.report(log::Level::warning,
                       fmt::format("Queue: there is no queue '{}'", terms.queue));
        co_return AppResult::proceed;
    }
    Visit visit(channel, *queues, *wanted, terms, std::move(starter));
    const auto result = co_await visit.run();
    // What plays would go on under whatever the dialplan does next.
    if (!channel.hung_up()) co_await channel.stop_playing();
    co_return result;
}

}  // namespace

void add_queue_application(dialplan::Applications& applications, Bridge::Starter starter) {
    applications.add(
        "Queue",
        "Wait in line for an agent: Queue(queue[,options[,URL[,announce[,seconds[,AGI[,,"
        "gosub[,rule[,position]]]]]]]])",
        [starter = std::move(starter)](Call& call, std::string_view args) {
            return queue(call, args, starter);
        });
}

}  // namespace strowger::pbx
