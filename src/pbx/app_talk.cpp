// Applications that listen: AMD, BackgroundDetect, WaitForSilence, WaitForNoise.

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "media/talk_detector.hpp"
#include "pbx/answering_machine.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

constexpr int silence_threshold = 256;  // as Record's
constexpr Duration frame_time = std::chrono::milliseconds{20};
/// Packets that are later than that count as silence.
constexpr Duration patience = std::chrono::milliseconds{60};
constexpr Duration ear_poll = std::chrono::milliseconds{20};

AppResult after(const Channel& channel) {
    return channel.hung_up() ? AppResult::hangup : AppResult::proceed;
}

/// Listens to a channel as long as it exists, and has each frame judged until a verdict is there.
///
/// The frames are judged as they come; who waits is told by an event in the channel's inbox.
class Ear {
public:
    using Judge = std::function<bool(const media::TalkDetector::State&)>;  ///< true: enough

    Ear(Channel& channel, int threshold, Judge judge)
        : channel_(channel), detector_(threshold), judge_(std::move(judge)) {}
    ~Ear() { *alive_ = false; }
    Ear(const Ear&) = delete;
    Ear& operator=(const Ear&) = delete;

    Task<bool> begin() {
        last_ = channel_.core().now();
        // The channel may outlive us with packets on their way.
        auto hear = [this, alive = alive_](std::span<const std::int16_t> samples) {
            if (*alive) heard(samples);
        };
        co_return co_await channel_.start_hearing(std::move(hear));
    }
    Task<> end() { co_await channel_.stop_hearing(); }
    bool decided() const { return decided_; }

    /// Until there is a verdict, the time is over or the call. `digit` is one that was pressed, and
    /// `played` whether what was playing has ended, when the caller wants to know.
    struct Woken {
        std::optional<char> digit;
        bool played = false;
    };
    Task<Woken> wait(Time until) {
        Woken woken;
        while (!decided_ && !channel_.hung_up() && channel_.core().now() < until &&
               channel_.interrupted() == Call::Interrupt::none) {
            const auto item =
                co_await channel_.inbox().next(std::min(until, channel_.core().now() + ear_poll));
            fill_gap();
            if (!item) continue;
            if (const auto* digit = std::get_if<channel::Digit>(&item->event)) {
                woken.digit = digit->digit;
                co_return woken;
            }
            if (std::holds_alternative<channel::PlayDone>(item->event)) {
                woken.played = true;
                co_return woken;
            }
        }
        co_return woken;
    }

private:
    void heard(std::span<const std::int16_t> samples) {
        last_ = channel_.core().now();
        detector_.feed(samples, [this](const auto& state) {
            judge(state);
            return !decided_;
        });
    }
    // A phone that sends nothing is silent.
    void fill_gap() {
        while (!decided_ && channel_.core().now() - last_ > patience) {
            last_ += frame_time;
            judge(detector_.pass());
        }
    }
    void judge(const media::TalkDetector::State& state) {
        if (!decided_) decided_ = judge_(state);
    }

    Channel& channel_;
    media::TalkDetector detector_;
    Judge judge_;
    Time last_{};
    bool decided_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // with what still comes
};

// WaitForSilence(ms[,times[,seconds]]) and WaitForNoise: WAITSTATUS is SILENCE or NOISE, else
// TIMEOUT.
Task<AppResult> wait_for(Call& call, std::string_view args, bool noise) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const auto length =
        parse_milliseconds(argument(arguments, 0)).value_or(std::chrono::seconds{1});
    static constexpr unsigned most_times = 1000;
    const auto times = std::clamp(parse_number<unsigned>(trim(argument(arguments, 1))).value_or(1),
                                  1u, most_times);
    const auto limit = parse_seconds(argument(arguments, 2));
    const Time until = limit && *limit > Duration{} ? channel.core().now() + *limit : Time::max();
    if (!co_await open_media(channel)) co_return AppResult::hangup;
    bool met = true;
    for (unsigned i = 0; i < times && met; ++i) {
        Ear ear(channel, silence_threshold, [&](const auto& state) {
            return state.talking == noise && state.lasted >= length;
        });
        if (!co_await ear.begin()) co_return after(channel);
        while (!ear.decided() && !channel.hung_up() && channel.core().now() < until &&
               call.interrupted() == Call::Interrupt::none)
            (void)co_await ear.wait(until);
        co_await ear.end();
        met = ear.decided();
    }
    const auto* const word = noise ? "NOISE" : "SILENCE";
    (void)call.variables().set("WAITSTATUS", met ? word : "TIMEOUT");
    co_return after(channel);
}

// AMD([initialSilence[,greeting[,afterGreetingSilence[,totalTime[,minWordLength[,betweenWords[,
// maxWords[,threshold[,maxWordLength]]]]]]]]])
Task<AppResult> amd(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    auto settings = channel.core().config->amd;
    unsigned* const places[] = {&settings.initial_silence,         &settings.greeting,
                                &settings.after_greeting_silence,  &settings.total_analysis_time,
                                &settings.min_word_length,         &settings.between_words_silence,
                                &settings.maximum_number_of_words, &settings.silence_threshold,
                                &settings.maximum_word_length};
    static constexpr unsigned longest = 600'000;
    for (std::size_t i = 0; i < std::size(places); ++i)
        if (const auto given = parse_number<unsigned>(trim(argument(arguments, i))))
            *places[i] = std::min(*given, longest);
    if (!co_await open_media(channel)) co_return AppResult::hangup;
    AnsweringMachine machine(settings);
    AnsweringMachine::Verdict verdict{"HANGUP", ""};
    Ear ear(channel, static_cast<int>(std::min(settings.silence_threshold, 32767u)),
            [&](const auto& state) {
                auto found = machine.frame(state);
                if (found) verdict = std::move(*found);
                return found.has_value();
            });
    if (co_await ear.begin()) {
        while (!ear.decided() && !channel.hung_up() && call.interrupted() == Call::Interrupt::none)
            (void)co_await ear.wait(Time::max());
        co_await ear.end();
    }
    if (!ear.decided() && !channel.hung_up()) verdict = {"NOTSURE", "NOMEDIA"};
    (void)call.variables().set("AMDSTATUS", verdict.status);
    (void)call.variables().set("AMDCAUSE", verdict.cause);
    co_return after(channel);
}

// BackgroundDetect(sound[,silence[,min[,max[,time]]]]): who talks for between min and max
// milliseconds, and is then silent so long, goes to `talk`; digits go to their extension.
Task<AppResult> background_detect(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const auto length = [&](std::size_t index, Duration otherwise) {
        const auto given = parse_milliseconds(argument(arguments, index));
        return given && *given > Duration{} ? *given : otherwise;
    };
    const auto silence = length(1, std::chrono::seconds{1});
    const auto least = length(2, std::chrono::milliseconds{100});
    const auto most = length(3, Duration::max());
    const auto analysis = length(4, Duration::max());
    if (!co_await open_media(channel)) co_return AppResult::hangup;
    auto prompts = find_prompts(channel, argument(arguments, 0));
    if (prompts.paths.empty()) co_return after(channel);
    const Time began = channel.core().now();
    Duration talked{};
    Ear ear(channel, silence_threshold, [&](const auto& state) {
        if (state.talking) {
            talked += frame_time;
            return false;
        }
        if (state.lasted < silence || talked == Duration{}) return false;
        const auto said = std::exchange(talked, Duration{});
        return said >= least && said <= most && channel.core().now() - began <= analysis;
    });
    if (!co_await channel.play(std::move(prompts.paths))) co_return after(channel);
    if (!co_await ear.begin()) co_return after(channel);
    const auto heard = co_await ear.wait(Time::max());
    co_await ear.end();
    if (!heard.played) co_await channel.stop_playing();
    if (channel.hung_up() || call.interrupted() != Call::Interrupt::none) co_return after(channel);
    if (heard.digit) {
        const std::string context = call.position().context;
        const auto digits =
            co_await collect_extension(channel, context, std::string(1, *heard.digit));
        if (channel.hung_up()) co_return AppResult::hangup;
        co_return dialplan::Machine::dialled(call, context, digits);
    }
    if (ear.decided() && call.dialplan()->exists(call.position().context, "talk", call.query()))
        call.jump({call.position().context, "talk", 1});
    co_return AppResult::proceed;
}

}  // namespace

void add_talk_applications(dialplan::Applications& applications) {
    applications.add("AMD",
                     "Tell people from machines: AMD([initial silence[,greeting[,after greeting[,"
                     "total[,word[,pause[,words[,threshold[,longest word]]]]]]]]])",
                     amd);
    applications.add(
        "BackgroundDetect",
        "Play until somebody talks: BackgroundDetect(sound[,silence[,min[,max[,time]]]])",
        background_detect);
    applications.add("WaitForSilence", "Wait for silence: WaitForSilence([ms[,times[,seconds]]])",
                     [](Call& call, std::string_view args) { return wait_for(call, args, false); });
    applications.add("WaitForNoise", "Wait for speech: WaitForNoise([ms[,times[,seconds]]])",
                     [](Call& call, std::string_view args) { return wait_for(call, args, true); });
}

}  // namespace strowger::pbx
