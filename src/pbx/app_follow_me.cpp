// FollowMe: one person is looked for at several numbers, and says whether the call is welcome.

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "io/file.hpp"
#include "pbx/app_dial.hpp"
#include "pbx/applications.hpp"
#include "pbx/dial_target.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/originate.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

/// How long the caller may speak its name, and how long it may be silent before that is it.
constexpr std::string_view name_limits = "2,8";
/// The question is asked that often before somebody who says nothing counts as absent.
constexpr int times_asked = 3;

/// One search, from the first number to the conversation.
class Search {
public:
    Search(Channel& caller, const config::FollowMe& profile, const OptionLetters& options,
           Bridge::Starter starter)
        : caller_(caller),
          core_(caller.core()),
          profile_(profile),
          options_(options),
          starter_(std::move(starter)),
          events_(core_.loop) {}
    ~Search() {
        questions_.cancel();
        caller_.listen(nullptr);
        for (const auto& leg : legs_) leg->listen(nullptr);
    }
    Search(const Search&) = delete;
    Search& operator=(const Search&) = delete;

    Task<AppResult> run() {
        const bool answers = !options_.has('N');
        if (!co_await open_media(caller_, answers)) co_return AppResult::hangup;
        if (options_.has('s')) co_await say(profile_.status_prompt);
        if (options_.has('a')) co_await record_name();
        if (!options_.has('d')) co_await say(profile_.pls_hold_prompt);
        if (caller_.hung_up()) co_return gone();
        std::string music = profile_.musicclass;
        (void)co_await caller_.start_music(std::move(music));
        caller_.listen(&events_);
        for (std::size_t i = 0; i < profile_.steps.size() && !taken_ && !left(); ++i)
            co_await try_step(profile_.steps[i], i + 1 == profile_.steps.size());
        caller_.listen(nullptr);
        hang_up_others();
        if (caller_.hung_up()) co_return gone();
        co_await caller_.stop_playing();
        if (taken_ && !taken_->hung_up()) co_return co_await talk();
        if (options_.has('n') && !left()) co_await say(profile_.sorry_prompt);
        forget_name();
        co_return caller_.hung_up() ? AppResult::hangup : AppResult::proceed;
    }

private:
    bool left() const {
        return caller_.hung_up() || caller_.interrupted() != Call::Interrupt::none;
    }

    AppResult gone() {
        hang_up_others();
        forget_name();
        return AppResult::hangup;
    }

    Task<> say(std::string prompt) {
        auto prompts = find_prompts(caller_, prompt);
        if (!prompts.paths.empty() && !left())
            (void)co_await caller_.play_and_wait(std::move(prompts.paths));
    }

    Task<> record_name() {
        auto ask = find_prompts(caller_, "vm-rec-name");
        if (!ask.paths.empty()) (void)co_await caller_.play_and_wait(std::move(ask.paths), "any");
        name_ = fmt::format("followme-{}", caller_.uniqueid());
        std::string arguments = fmt::format("{}.wav,{}", name_, name_limits);
        (void)co_await dialplan::Machine::execute(caller_, "Record", std::move(arguments));
        name_path_ = caller_.variable("RECORDED_FILE").value_or("") + ".wav";
    }

    void forget_name() {
        if (!name_.empty() && !name_path_.empty()) (void)io::remove_file(name_path_);
    }

    // Rings its numbers until somebody takes the call or its time is over. Who has answered, and is
    // still being asked, has until the end of the last step.
    Task<> try_step(const config::FollowMe::Step& step, bool is_last) {
        for (const auto& number : step.numbers) {
            if (left() || taken_) co_return;
            co_await ring(number);
        }
        const Time until = core_.now() + std::chrono::seconds{step.timeout};
        while (!taken_ && !left() && (ringing() || (is_last && !legs_.empty()))) {
            const auto item = co_await events_.next(until);
            if (!item) break;
            if (item->channel.get() == &caller_) continue;
            const auto leg = item->channel;
            if (std::holds_alternative<channel::Answered>(item->event))
                answered(leg);
            else if (std::holds_alternative<channel::HungUp>(item->event))
                forget(*leg);
        }
        // Those that only ring have had their time.
        const auto legs = legs_;
        for (const auto& leg : legs) {
            if (leg == taken_ || leg->is_up()) continue;
            forget(*leg);
            leg->hangup(Cause::no_answer);
        }
    }

    bool ringing() const {
        return std::any_of(legs_.begin(), legs_.end(),
                           [](const auto& leg) { return !leg->is_up(); });
    }

    Task<> ring(std::string number) {
        DialTarget target{"Local", number + "@" + profile_.context};
        std::string linkedid = caller_.linkedid();
        auto made = co_await OutgoingLeg::make(core_, std::move(target), std::move(linkedid));
        if (!made) {
            LOG_NOTICE(caller_.about(), "FollowMe: {}", made.error().text());
            co_return;
        }
        const auto leg = made->channel();
        leg->connected = caller_.caller;
        leg->caller.number = number;
        leg->dialled = number;
        caller_.inherit_to(*leg);
        leg->set_position(caller_.position());
        if (options_.has('b')) {
            std::string routine(options_.argument('b').value_or(""));
            std::replace(routine.begin(), routine.end(), '^', ',');
            (void)co_await dialplan::Machine::run_subroutine(*leg, std::move(routine));
        }
        legs_.push_back(leg);
        leg->listen(&events_);
        auto preferred = caller_.codecs();
        const auto dialled = co_await made->dial(starter_, std::move(preferred));
        if (dialled) co_return;
        LOG_NOTICE(caller_.about(), "FollowMe: {}", dialled.error().text());
        forget(*leg);
    }

    void answered(const ChannelPtr& leg) {
        leg->listen(nullptr);
        if (!profile_.enable_callee_prompt) {
            taken_ = leg;
            return;
        }
        questions_.spawn(ask(leg));
    }

    // Whether they take the call. What they say is told to the one who waits by an event.
    Task<> ask(ChannelPtr leg) {
        co_await until_heard(*leg);
        const bool takes = co_await is_taken(*leg);
        if (takes && !taken_ && !leg->hung_up()) {
            taken_ = leg;
        } else {
            forget(*leg);
            leg->hangup(Cause::normal_clearing);
        }
        // Not from within: whoever waits may end the search, and this task with it.
        wake_ =
            core_.loop.after({}, [this] { events_.channel_event(caller_, channel::Progress{}); });
    }

    Task<bool> is_taken(Channel& leg) {
        const bool has_name = !name_.empty() && io::file_exists(name_path_);
        std::string names =
            has_name ? profile_.call_from_prompt + '&' + name_ : profile_.norecording_prompt;
        names += '&' + profile_.options_prompt;
        const std::chrono::milliseconds patience{profile_.featuredigittimeout};
        std::string digits;
        for (int asked = 0; asked < times_asked && !leg.hung_up(); ++asked) {
            auto prompts = find_prompts(leg, names);
            const auto played = co_await leg.play_and_wait(std::move(prompts.paths), "any");
            auto digit =
                played.digit ? std::optional(played.digit) : co_await leg.wait_digit(patience);
            for (; digit; digit = co_await leg.wait_digit(patience)) {
                digits += *digit;
                if (digits.ends_with(profile_.takecall)) co_return true;
                if (digits.ends_with(profile_.declinecall)) co_return false;
            }
        }
        co_return false;
    }

    void forget(Channel& leg) {
        leg.listen(nullptr);
        std::erase_if(legs_, [&](const auto& other) { return other.get() == &leg; });
    }

    void hang_up_others() {
        const auto legs = std::exchange(legs_, {});
        for (const auto& leg : legs) {
            leg->listen(nullptr);
            if (leg != taken_ || caller_.hung_up()) leg->hangup(Cause::answered_elsewhere);
        }
    }

    Task<AppResult> talk() {
        forget_name();
        const auto ready = co_await caller_.answer();
        if (!ready || caller_.hung_up()) {
            taken_->hangup(Cause::normal_clearing);
            co_return AppResult::hangup;
        }
        if (!profile_.connected_prompt.empty()) co_await say(profile_.connected_prompt);
        caller_.connected = taken_->caller;
        ChannelPtr self = caller_.shared_from_this();
        auto joined = co_await Bridge::join(core_, starter_, self, taken_);
        if (!joined) {
            LOG_WARNING(caller_.about(), "FollowMe: {}", joined.error().text());
            taken_->hangup(Cause::normal_circuit_congestion);
            co_return AppResult::hangup;
        }
        const auto bridge = *joined;
        joined->reset();
        bridge->allow(caller_, caller_features(options_));
        bridge->allow(*taken_, callee_features(options_));
        const auto released = co_await bridge->talk(self);
        caller_.cause = released.cause;
        if (released.why == Released::Why::transferred && released.target) {
            caller_.jump(*released.target);
            co_return AppResult::proceed;
        }
        co_return AppResult::hangup;
    }

    Channel& caller_;
    Core& core_;
    const config::FollowMe& profile_;
    const OptionLetters& options_;
    Bridge::Starter starter_;
    EventQueue events_;
    std::vector<ChannelPtr> legs_;  ///< that ring or are being asked
    ChannelPtr taken_;
    std::string name_, name_path_;  ///< of the recording of the caller's name
    io::Timer wake_;
    TaskScope questions_;
};

// FollowMe(id[,options]): a recorded name, d no "please hold", n "sorry", N no answer before it has
// been taken, s "not at the desk", b(routine).
Task<AppResult> follow_me(Call& call, std::string_view args, Bridge::Starter starter) {
    auto& channel = static_cast<Channel&>(call);
    const ChannelPtr keep = channel.shared_from_this();
    const auto config = channel.core().config;
    const auto arguments = dialplan::split_arguments(args);
    const OptionLetters options(argument(arguments, 1));
    const auto* profile = config->follow_me.find(trim(argument(arguments, 0)));
    if (!profile) {
        channel.report(
            log::Level::warning,
            fmt::format("FollowMe: there is no '{}' in followme.conf", argument(arguments, 0)));
        co_return AppResult::proceed;
    }
    Search search(channel, *profile, options, std::move(starter));
    co_return co_await search.run();
}

}  // namespace

void add_follow_me_application(dialplan::Applications& applications, Bridge::Starter starter) {
    applications.add("FollowMe", "Look for somebody at several numbers: FollowMe(id[,options])",
                     [starter = std::move(starter)](Call& call, std::string_view args) {
                         return follow_me(call, args, starter);
                     });
}

}  // namespace strowger::pbx
