#include "pbx/app_dial.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "pbx/call_completion.hpp"
#include "pbx/call_consent.hpp"
#include "pbx/dial_target.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/ringing_calls.hpp"

namespace strowger::pbx {

DigitFeatures caller_features(const OptionLetters& options) {
    return {.transfer = options.has('T'),
            .disconnect = options.has('H'),
            .park = options.has('K'),
            .record = options.has('W') || options.has('X')};
}

DigitFeatures callee_features(const OptionLetters& options) {
    return {.transfer = options.has('t'),
            .disconnect = options.has('h'),
            .park = options.has('k'),
            .record = options.has('w') || options.has('x')};
}

namespace {

using dialplan::AppResult;

/// Destinations rung at once; a dialplan that asks for more has gone wrong.
constexpr std::size_t max_legs = 64;
/// 302s followed for one Dial.
constexpr int max_redirections = 5;

/// L(ms[:warning[:repeat]]) or S(seconds): how long they may talk, and when they are warned.
std::optional<TalkLimit> talk_limit(const Channel& caller, const OptionLetters& options) {
    static constexpr std::int64_t longest_ms =
        std::int64_t{365} * 24 * 3600 * 1000;  // a year is for ever
    const auto milliseconds = [](std::string_view text) {
        return std::clamp(parse_number<std::int64_t>(trim(text)).value_or(0), std::int64_t{0},
                          longest_ms);
    };
    std::int64_t ms = 0;
    TalkLimit limit;
    if (const auto text = options.argument('L')) {
        const auto [length, warnings] = split_once(*text, ':');
        const auto [warning, repeat] = split_once(warnings, ':');
        ms = milliseconds(length);
        limit.warning = std::chrono::milliseconds{milliseconds(warning)};
        limit.repeat = std::chrono::milliseconds{milliseconds(repeat)};
    } else if (const auto text_s = options.argument('S')) {
        ms = std::min(milliseconds(*text_s), longest_ms / 1000) * 1000;
    }
    if (ms <= 0 || ms >= longest_ms) return std::nullopt;
    limit.length = std::chrono::milliseconds{ms};
    limit.warns_caller = is_true(caller.variable("LIMIT_PLAYAUDIO_CALLER").value_or("yes"));
    limit.warns_callee = is_true(caller.variable("LIMIT_PLAYAUDIO_CALLEE").value_or("no"));
    const auto sound = caller.core().sounds.find(
        caller.variable("LIMIT_WARNING_FILE").value_or("beep"), caller.language);
    if (sound)
        limit.sound = *sound;
    else
        limit.warning = {};
    // More often than this it would be a tone.
    static constexpr Duration shortest_repeat = std::chrono::milliseconds{100};
    if (limit.repeat > Duration{}) limit.repeat = std::max(limit.repeat, shortest_repeat);
    return limit;
}

// "ctx^ext^pri(args^...)" as options write it: carets stand for commas.
std::string caret_to_comma(std::string_view text) {
    std::string result(text);
    std::replace(result.begin(), result.end(), '^', ',');
    return result;
}

// The part of an option's argument between colons: D(called:calling:progress).
std::string_view argument_part(const OptionLetters& options, char letter, std::size_t index) {
    std::string_view rest = options.argument(letter).value_or("");
    for (; index > 0; --index) rest = split_once(rest, ':').second;
    return split_once(rest, ':').first;
}

/// More than anybody would have dialled for him.
constexpr std::size_t max_digits = 80;

Task<> press(ChannelPtr channel, std::string digits) {
    for (const char digit : std::string_view(digits).substr(0, max_digits)) {
        const bool is_pause = digit == 'w' || digit == 'W';  // half a second, or a whole one
        if (!is_pause) channel->send_digit(digit, std::chrono::milliseconds{100});
        const auto rest = is_pause ? (digit == 'w' ? 500 : 1000) : 200;
        if (!co_await channel->wait(std::chrono::milliseconds{rest})) co_return;
    }
}

Task<> announce(ChannelPtr channel, std::string sound) {
    const auto file = channel->core().sounds.find(sound, channel->language);
    if (!file) co_return;
    std::vector<std::string> files{*file};
    (void)co_await channel->play_and_wait(std::move(files));
}

/// One Dial while it rings.
class Dialling final : public RingingCall {
public:
    Dialling(Channel& caller, const OptionLetters& options, Bridge::Starter starter)
        : caller_(caller),
          options_(options),
          starter_(std::move(starter)),
          queue_(caller.core().loop),
          known_(caller.core().ringing.add(*this)) {}

    ~Dialling() {
        caller_.listen(nullptr);
        for (const auto& leg : legs_) leg->listen(nullptr);
    }

    Task<> start(std::vector<DialTarget> targets) {
        caller_.listen(&queue_);
        for (auto& target : targets) {
            if (legs_.size() >= max_legs || caller_.hung_up()) break;
            co_await add(std::move(target));
        }
    }

    Task<> add(DialTarget target) {
        const std::string name = target.technology + '/' + target.resource;
        std::string linkedid = caller_.linkedid();
        auto leg =
            co_await OutgoingLeg::make(caller_.core(), std::move(target), std::move(linkedid));
        if (!leg) {
            not_reached(name, leg.error());
            co_return;
        }
        const auto channel = leg->channel();
        introduce(*channel, name);
        if (!co_await before_dialling(*channel)) {
            channel->listen(nullptr);
            co_return;
        }
        if (const auto& wanted = CompletionSettings::of(*channel);
            wanted.is_monitored && !monitored_)
            monitored_.emplace(device_of(*channel), wanted);
        // A Local leg may ring or answer before `dial` returns.
        legs_.push_back(channel);
        auto preferred = caller_.codecs();
        const auto dialled = co_await leg->dial(starter_, std::move(preferred));
        if (dialled) co_return;
        std::erase(legs_, channel);
        channel->listen(nullptr);
        not_reached(name, dialled.error());
    }

    const Channel& caller() const override { return caller_; }
    const std::vector<ChannelPtr>& ringing() const override { return legs_; }
    void answered_by(ChannelPtr picker) override {
        picker->listen(&queue_);
        picker->connected = caller_.caller;
        picked_up_ = true;
        legs_.push_back(picker);
        queue_.channel_event(*picker, channel::Answered{});
    }

    /// Rings until somebody answers (returned), nobody is left, the time is over or the caller
    /// leaves.
    Task<ChannelPtr> ring(Time until) {
        if (legs_.empty()) co_return nullptr;
        if (options_.has('m')) {
            (void)co_await caller_.progress();
            (void)co_await caller_.start_music(std::string(options_.argument('m').value_or("")));
        } else if (const auto tone = options_.argument('r'); tone && !tone->empty()) {
            (void)co_await caller_.progress();
            (void)co_await caller_.play_tone(std::string(*tone));
        } else if (options_.has('r') || options_.has('R')) {
            ring_back();
        }
        while (!legs_.empty()) {
            const auto item = co_await queue_.next(until);
            if (!item) {
                status_ = "NOANSWER";
                caller_.cause = Cause::no_answer;
                hang_up_all(Cause::no_answer);
                co_return nullptr;
            }
            if (item->channel.get() == &caller_) {
                if (std::holds_alternative<channel::HungUp>(item->event) ||
                    std::holds_alternative<channel::Interrupted>(item->event)) {
                    status_ = "CANCEL";
                    hang_up_all(Cause::normal_clearing);
                    co_return nullptr;
                }
                const auto* digit = std::get_if<channel::Digit>(&item->event);
                if (digit && ((options_.has('H') && digit->digit == '*') ||
                              (options_.has('d') && leaves_by(digit->digit)))) {
                    status_ = "CANCEL";
                    hang_up_all(Cause::normal_clearing);
                    co_return nullptr;
                }
                continue;
            }
            const auto leg = item->channel;
            if (std::holds_alternative<channel::Answered>(item->event)) {
                legs_.erase(std::remove(legs_.begin(), legs_.end(), leg), legs_.end());
                leg->listen(nullptr);
                hang_up_all(Cause::answered_elsewhere);
                status_ = "ANSWER";
                tell(leg.get(), true);
                co_return leg;
            }
            if (std::holds_alternative<channel::Ringing>(item->event)) {
                if (legs_.size() == 1 && !options_.has('I')) caller_.connected = leg->caller;
                if (!options_.has('m') && !options_.has('r')) ring_back();
            } else if (std::holds_alternative<channel::Progress>(item->event)) {
                if (!options_.has('m') && !options_.has('r') && !early_)
                    co_await pass_early_media(leg);
                // D(called:calling:progress)
                if (const auto digits = argument_part(options_, 'D', 2);
                    !digits.empty() && !std::exchange(sent_digits_, true))
                    caller_.core().tasks.spawn(press(leg, std::string(digits)));
            } else if (const auto* moved = std::get_if<channel::Redirected>(&item->event)) {
                if (!options_.has('i') && redirections_++ < max_redirections) {
                    forwarded(*leg, *moved);
                    if (options_.has('z'))
                        until = Time::max();  // the other phone's time begins anew
                    DialTarget next{"Local", moved->target + "@" + forward_context()};
                    if (istarts_with(moved->target, "sip:")) {
                        const auto ep = leg->endpoint();
                        next = {"PJSIP", (ep ? ep->name : std::string()) + "/" + moved->target};
                    }
                    co_await add(std::move(next));
                }
            } else if (const auto* gone = std::get_if<channel::HungUp>(&item->event)) {
                legs_.erase(std::remove(legs_.begin(), legs_.end(), leg), legs_.end());
                leg->listen(nullptr);
                count(gone->cause);
                remember(*leg, gone->cause);
                tell(leg.get(), true);
            }
        }
        conclude();
        co_return nullptr;
    }

    std::string status() const { return status_; }

    /// Nobody has answered: the caller may ask for the call to be completed later.
    void offer_completion(CallCompletions& completions) const {
        if (!monitored_ || !CompletionSettings::of(caller_).is_agent) return;
        if (status_ == "BUSY" || status_ == "NOANSWER" || status_ == "CANCEL")
            completions.offer(caller_, monitored_->first, status_ == "BUSY", monitored_->second);
    }
    void conclude() {
        if (!status_.empty()) return;
        if (busy_ > 0 && busy_ >= others_)
            status_ = "BUSY";
        else if (congested_ > 0)
            status_ = "CONGESTION";
        else if (no_answer_ > 0)
            status_ = "NOANSWER";
        else
            status_ = "CHANUNAVAIL";
    }

private:
    std::string forward_context() const {
        return caller_.variable("FORWARD_CONTEXT").value_or(caller_.position().context);
    }

    // The caller learns that its call goes elsewhere, and whoever is tried next by whom.
    void forwarded(const Channel& leg, const channel::Redirected& moved) {
        auto& redirecting = caller_.redirecting;
        redirecting.from = leg.caller;
        if (redirecting.from.number.empty()) redirecting.from.number = leg.dialled;
        if (redirecting.original.number.empty()) redirecting.original = redirecting.from;
        redirecting.to = {};
        if (!istarts_with(moved.target, "sip:")) redirecting.to.number = moved.target;
        redirecting.reason = moved.reason;
        ++redirecting.count;
        caller_.call_forwarded();
    }

    // Option d: the number that stands for a key, where the caller is or in EXITCONTEXT.
    bool leaves_by(char digit) {
        const auto context = caller_.variable("EXITCONTEXT").value_or(caller_.position().context);
        const std::string exten(1, digit);
        if (!caller_.dialplan()->exists(context, exten, caller_.query())) return false;
        caller_.jump({context, exten, 1});
        return true;
    }

    // Options f, o, s and u: whom the called party sees, and as who it stands there itself.
    void identify(Channel& leg) const {
        if (redirections_ > 0 && options_.has('f')) {
            const auto number = options_.argument('f').value_or("");
            leg.connected = {std::string(number.empty() ? caller_.position().exten : number), {}};
        }
        if (const auto own = options_.argument('o'))
            leg.caller = own->empty() ? caller_.caller : PartyId{std::string(*own), {}};
        if (const auto tag = options_.argument('s')) leg.caller_tag = *tag;
        if (const auto presentation = options_.argument('u'))
            leg.connected.restricted = presentation->starts_with("prohib");
    }

    void introduce(Channel& leg, const std::string& name) {
        leg.connected = caller_.caller;
        leg.redirecting = caller_.redirecting;
        leg.dialled = caller_.position().exten;
        leg.caller.number = caller_.position().exten;
        caller_.inherit_to(leg);
        leg.listen(&queue_);
        leg.set_position(caller_.position());
        if (auto* sip = dynamic_cast<SipChannel*>(&leg)) {
            if (const auto ep = sip->endpoint(); ep && !ep->callerid.number.empty())
                leg.caller = {ep->callerid.number, ep->callerid.name};
        }
        identify(leg);
        caller_.core().events.publish(
            events::DialChanged{false, caller_.name(), leg.name(), name, {}});
    }

    // Option b: a subroutine on the leg before it is dialled.
    Task<bool> before_dialling(Channel& leg) {
        if (options_.has('b')) {
            std::string target = caret_to_comma(options_.argument('b').value_or(""));
            if (!co_await dialplan::Machine::run_subroutine(leg, std::move(target)))
                co_return !leg.hung_up();
        }
        co_return true;
    }

    void not_reached(const std::string& name, const Error& error) {
        LOG_NOTICE(caller_.about(), "cannot dial {}: {}", name, error.text());
        caller_.core().trace.step(caller_.linkedid(), caller_.name(),
                                  fmt::format("cannot dial {}: {}", name, error.text()),
                                  caller_.core().now());
        ++others_;
        if (caller_.cause == Cause::none) caller_.cause = Cause::subscriber_absent;
        if (error.text().starts_with("there is no endpoint"))
            caller_.cause = Cause::no_route_destination;
    }

    void ring_back() {
        if (early_) return;
        caller_.ring();
        // A caller that was answered already hears our own ringing tone.
        if (caller_.is_up() && !ringing_) {
            ringing_ = true;
            caller_.core().tasks.spawn([](ChannelPtr who) -> Task<> {
                (void)co_await who->play_tone("ring");
            }(caller_.shared_from_this()));
        }
    }

    Task<> pass_early_media(ChannelPtr leg) {
        co_await caller_.match(leg->codecs());
        (void)co_await caller_.progress();
        const auto a = caller_.party();
        const auto b = leg->party();
        if (!a || !b) co_return;
        early_ = true;
        co_await caller_.stop_playing();
        media::ConnectRequest request{*a, *b};
        const auto joined = co_await caller_.core().engine.connect(std::move(request));
        if (!joined) LOG_NOTICE(caller_.about(), "early media: {}", joined.error().text());
    }

    void count(Cause cause) {
        caller_.cause = cause;
        switch (cause) {
            case Cause::user_busy: ++busy_; break;
            case Cause::normal_circuit_congestion:
            case Cause::switch_congestion:
            case Cause::network_out_of_order:
            case Cause::requested_channel_unavailable:
            case Cause::recovery_on_timer_expire: ++congested_; break;
            case Cause::no_answer:
            case Cause::no_user_response: ++no_answer_; break;
            // Rejected (403, 603, a password that is wrong), and whatever else has no name here: it
            // cannot be had.
            default: ++others_; break;
        }
    }

    // For HANGUPCAUSE(channel,tech).
    void remember(const Channel& leg, Cause cause) {
        std::string text = "SIP 408 Request Timeout";
        if (const auto* sip = dynamic_cast<const SipChannel*>(&leg); sip && sip->last_response())
            text = fmt::format("SIP {} {}", sip->last_response()->message().status(),
                               sip->last_response()->message().reason());
        caller_.leg_outcomes.push_back({leg.name(), cause, std::move(text)});
    }

    void hang_up_all(Cause cause) {
        const auto legs = std::exchange(legs_, {});
        for (const auto& leg : legs) {
            leg->listen(nullptr);
            leg->hangup(cause == Cause::answered_elsewhere ? cause_of_losers() : cause);
            tell(leg.get(), true);
        }
    }

    // What the phones that did not answer are told when another one did: options c and Q(cause).
    Cause cause_of_losers() const {
        if (const auto wanted = options_.argument('Q')) {
            if (const auto cause = parse_cause(*wanted)) return *cause;
            if (iequals(*wanted, "none")) return Cause::none;
        }
        return options_.has('c') || picked_up_ ? Cause::answered_elsewhere : Cause::normal_clearing;
    }

    void tell(const Channel* leg, bool ended) {
        caller_.core().events.publish(
            events::DialChanged{ended, caller_.name(), leg->name(), {}, status_});
    }

    Channel& caller_;
    const OptionLetters& options_;
    Bridge::Starter starter_;
    EventQueue queue_;
    std::vector<ChannelPtr> legs_;
    std::string status_;
    bool early_ = false;
    bool ringing_ = false;
    bool picked_up_ = false;
    bool sent_digits_ = false;
    int redirections_ = 0;
    int busy_ = 0, congested_ = 0, no_answer_ = 0, others_ = 0;
    std::shared_ptr<void> known_;
    /// The first device to which calls may be completed.
    std::optional<std::pair<std::string, CompletionSettings>> monitored_;
};

void set(Channel& channel, std::string_view name, std::string value) {
    (void)channel.variables().set(name, std::move(value));
}

Task<bool> answer_caller(Channel& caller) {
    const auto answered = co_await caller.answer();
    if (!answered || caller.hung_up()) co_return false;
    co_await caller.stop_playing();
    co_return true;
}

Task<AppResult> talk(Channel& caller, ChannelPtr callee, const OptionLetters& options,
                     Bridge::Starter starter, CallConsent* consent) {
    auto& core = caller.core();
    set(caller, "DIALEDPEERNAME", callee->name());
    set(caller, "DIALEDPEERNUMBER", callee->dialled);
    if (callee->caller.name.empty()) callee->caller.name = caller.connected.name;
    // Before the answer, which says who it is.
    if (!options.has('I')) caller.connected = callee->caller;
    co_await caller.match(callee->codecs());
    ChannelPtr caller_share = caller.shared_from_this();
    if (consent) {
        auto refused = co_await consent->ask(callee);
        consent->finish(!caller.hung_up());
        if (refused) {
            callee->hangup(Cause::normal_clearing);
            co_await caller.stop_playing();
            set(caller, "DIALSTATUS", std::move(*refused));
            co_return caller.hung_up() ? AppResult::hangup : AppResult::proceed;
        }
    }
    // What the called party is to hear or to decide comes first; the caller waits unanswered
    // unless option a says otherwise.
    if (options.has('a') && !co_await answer_caller(caller)) {
        callee->hangup(Cause::normal_clearing);
        co_return AppResult::hangup;
    }
    if (options.has('A')) co_await announce(callee, std::string(argument_part(options, 'A', 0)));
    if (options.has('D')) co_await press(callee, std::string(argument_part(options, 'D', 0)));
    if (options.has('U')) {
        std::string target = caret_to_comma(options.argument('U').value_or(""));
        if (target.find('(') == std::string::npos || target.find(',') == std::string::npos) {
            // "sub^args" names a context; its s,1 is run.
            const auto comma = target.find(',');
            const std::string args = comma == std::string::npos ? "" : target.substr(comma + 1);
            target = target.substr(0, comma) + ",s,1(" + args + ")";
        }
        const bool returned =
            co_await dialplan::Machine::run_subroutine(*callee, std::move(target));
        const auto verdict = callee->variable("GOSUB_RESULT").value_or("");
        if (!returned || callee->hung_up() || verdict == "ABORT" || verdict == "BUSY" ||
            verdict == "CONGESTION" || verdict == "CONTINUE" || istarts_with(verdict, "GOTO:")) {
            callee->hangup(Cause::normal_clearing);
            set(caller, "DIALSTATUS",
                verdict == "BUSY"         ? "BUSY"
                : verdict == "CONGESTION" ? "CONGESTION"
                                          : "ANSWER");
            if (istarts_with(verdict, "GOTO:")) {
                auto place = dialplan::Machine::resolve(
                    caller, caret_to_comma(std::string_view(verdict).substr(5)));
                if (place) caller.jump(*place);
                co_return AppResult::proceed;
            }
            co_return verdict == "ABORT" ? AppResult::hangup : AppResult::proceed;
        }
    }
    if (caller.hung_up() || !co_await answer_caller(caller)) {
        callee->hangup(Cause::normal_clearing);
        co_return AppResult::hangup;
    }
    if (const auto sound = argument_part(options, 'A', 1); !sound.empty())
        co_await announce(caller_share, std::string(sound));
    if (const auto digits = argument_part(options, 'D', 1); !digits.empty())
        co_await press(caller_share, std::string(digits));
    if (options.has('G')) {
        // Caller and callee go on in the dialplan, at the label and one after it.
        auto place =
            dialplan::Machine::resolve(caller, caret_to_comma(options.argument('G').value_or("")));
        if (!place) {
            LOG_WARNING(caller.about(), "Dial option G: {}", place.error().text());
            callee->hangup(Cause::normal_clearing);
            co_return AppResult::proceed;
        }
        caller.jump(*place);
        auto next = *place;
        ++next.priority;
        starter(callee, next);
        co_return AppResult::proceed;
    }
    auto bridge = co_await Bridge::join(core, starter, caller_share, callee);
    if (!bridge) {
        LOG_WARNING(caller.about(), "cannot join {} and {}: {}", caller.name(), callee->name(),
                    bridge.error().text());
        callee->hangup(Cause::normal_circuit_congestion);
        co_return AppResult::hangup;
    }
    (*bridge)->allow(caller, caller_features(options));
    (*bridge)->allow(*callee, callee_features(options));
    if (auto limit = talk_limit(caller, options)) (*bridge)->limit(std::move(*limit));
    (*bridge)->keep_last(options.has('F'));
    const Time began = core.now();
    const auto shared = *bridge;
    bridge->reset();
    const auto released = co_await shared->talk(caller_share);
    set(caller, "ANSWEREDTIME",
        std::to_string(
            std::chrono::duration_cast<std::chrono::seconds>(core.now() - began).count()));
    set(caller, "BRIDGEPEER", callee->name());
    caller.cause = released.cause;
    // F: the called party goes on when the caller has left.
    shared->keep_last(false);
    if (options.has('F') && caller.hung_up() && shared->has(*callee) && !shared->peer_of(*callee)) {
        const auto text = caret_to_comma(options.argument('F').value_or(""));
        auto next = caller.position();
        ++next.priority;
        const auto place = text.empty() ? Result<dialplan::Position>(next)
                                        : dialplan::Machine::resolve(caller, text);
        if (!place) LOG_WARNING(caller.about(), "Dial option F: {}", place.error().text());
        if (place && shared->step_out(*callee)) starter(callee, *place);
    }
    // e: `h` for the called party too, where the caller stands.
    if (options.has('e')) {
        shared->close();
        if (callee->hung_up() && !callee->has_dialplan) {
            callee->set_position(caller.position());
            co_await dialplan::Machine::run_hangup(*callee);
        }
    }
    switch (released.why) {
        case Released::Why::transferred:
            if (released.target) caller.jump(*released.target);
            co_return AppResult::proceed;
        case Released::Why::self_gone: co_return AppResult::hangup;
        case Released::Why::feature_hangup:
        case Released::Why::consultation:
        case Released::Why::peer_gone:
        case Released::Why::duration_over:
            co_return options.has('g') && !caller.hung_up() ? AppResult::proceed
                                                            : AppResult::hangup;
    }
    co_return AppResult::hangup;
}

Task<AppResult> dial(dialplan::Call& call, std::string_view text, Bridge::Starter starter,
                     std::shared_ptr<CallCompletions> completions) {
    auto& caller = static_cast<Channel&>(call);
    const ChannelPtr keep = caller.shared_from_this();
    const auto arguments = dialplan::split_arguments(text);
    const auto at = [&](std::size_t i) {
        return i < arguments.size() ? std::string_view(arguments[i]) : std::string_view();
    };
    const OptionLetters options(at(2));
    auto& core = caller.core();

    set(caller, "DIALSTATUS", "");
    caller.cause = Cause::none;
    caller.leg_outcomes.clear();
    auto targets = DialTarget::parse_list(at(0));
    if (targets.empty()) {
        LOG_NOTICE(caller.about(), "Dial has nobody to dial");
        set(caller, "DIALSTATUS", "CHANUNAVAIL");
        caller.cause = Cause::subscriber_absent;
        co_return AppResult::proceed;
    }
    if (options.has('B')) {
        std::string target = caret_to_comma(options.argument('B').value_or(""));
        (void)co_await dialplan::Machine::run_subroutine(caller, std::move(target));
        if (caller.hung_up()) co_return AppResult::hangup;
    }
    auto consent = CallConsent::wanted(caller, options);
    if (consent) {
        auto refused = co_await consent->prepare();
        if (caller.hung_up()) {
            consent->finish(false);
            co_return AppResult::hangup;
        }
        if (refused) {
            set(caller, "DIALSTATUS", std::move(*refused));
            co_return AppResult::proceed;
        }
    }
    Time until = Time::max();
    if (const auto wanted = parse_number<double>(trim(at(1)));
        wanted && *wanted > 0 && *wanted < 1e6)
        until = core.now() +
                std::chrono::duration_cast<Duration>(std::chrono::duration<double>(*wanted));
    const Time began = core.now();
    ChannelPtr callee;
    std::string status;
    {
        Dialling dialling(caller, options, starter);
        co_await dialling.start(std::move(targets));
        callee = co_await dialling.ring(until);
        dialling.conclude();
        status = dialling.status();
        if (completions) dialling.offer_completion(*completions);
    }
    set(caller, "DIALSTATUS", status);
    set(caller, "DIALEDTIME",
        std::to_string(
            std::chrono::duration_cast<std::chrono::seconds>(core.now() - began).count()));
    if (callee)
        co_return co_await talk(caller, std::move(callee), options, std::move(starter),
                                consent ? &*consent : nullptr);
    if (consent) consent->finish(!caller.hung_up());
    co_await caller.stop_playing();
    co_return caller.hung_up() ? AppResult::hangup : AppResult::proceed;
}

// RetryDial(announce,sleep,retries,dialargs): 0 retries means for ever.
Task<AppResult> retry_dial(dialplan::Call& call, std::string_view text, Bridge::Starter starter,
                           std::shared_ptr<CallCompletions> completions) {
    auto& caller = static_cast<Channel&>(call);
    const auto raw = dialplan::split_raw(text);
    if (raw.size() < 4) {
        LOG_WARNING(caller.about(), "RetryDial needs announce,sleep,retries,destination");
        co_return AppResult::proceed;
    }
    const auto pause = parse_number<double>(trim(raw[1])).value_or(10);
    const auto retries = parse_number<unsigned>(trim(raw[2])).value_or(5);
    const std::string dial_text(raw[3].data(), text.data() + text.size());
    const std::string announce(trim(raw[0]));
    for (unsigned tried = 0; retries == 0 || tried <= retries; ++tried) {
        const auto result = co_await dial(call, dial_text, starter, completions);
        const auto status = caller.variable("DIALSTATUS").value_or("");
        if (result == AppResult::hangup || status == "ANSWER" || caller.hung_up() ||
            caller.jumped())
            co_return result;
        if (const auto file = caller.core().sounds.find(announce, caller.language)) {
            std::vector<std::string> files{*file};
            (void)co_await caller.play_and_wait(std::move(files));
        }
        if (!co_await caller.wait(std::chrono::duration_cast<Duration>(
                std::chrono::duration<double>(std::clamp(pause, 0.1, 3600.0)))))
            co_return AppResult::hangup;
    }
    co_return AppResult::proceed;
}

}  // namespace

void add_dial_application(dialplan::Applications& applications, Bridge::Starter starter,
                          std::shared_ptr<CallCompletions> completions) {
    const auto dial_with = [starter, completions](dialplan::Call& call, std::string_view args) {
        return dial(call, args, starter, completions);
    };
    applications.add("Dial",
                     "Dial(Tech/Res[&...],timeout,options): ring, and talk to who answers first",
                     dial_with);
    const auto retry_with = [starter, completions](dialplan::Call& call, std::string_view args) {
        return retry_dial(call, args, starter, completions);
    };
    applications.add("RetryDial",
                     "RetryDial(announce,sleep,retries,destination...): Dial again and again",
                     retry_with);
}

}  // namespace strowger::pbx
