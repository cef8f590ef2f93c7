#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "io/clock.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"
#include "pbx/recordings.hpp"
#include "pbx/spoken.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

constexpr Duration look = std::chrono::milliseconds{200};  // at whether the other one still talks
constexpr int loudest = 4;                                 // steps of 3 dB
constexpr std::size_t max_dialled = 80;                    // digits that name a channel

float gain(int volume) { return std::pow(10.0F, static_cast<float>(volume) * 3.0F / 20.0F); }

/// Whom ChanSpy and ExtenSpy may listen to.
struct Wanted {
    std::string prefix;
    std::optional<dialplan::Position> place;  ///< ExtenSpy: who is in that extension
};

/// One ChanSpy().
class Spying {
public:
    Spying(Channel& channel, Wanted wanted, const OptionLetters& options)
        : channel_(channel), wanted_(std::move(wanted)), options_(options) {
        const auto volume = parse_number<int>(trim(options.argument('v').value_or("0")));
        volume_ = std::clamp(volume.value_or(0), -loudest, loudest);
        settings_.whispers = options.has('w') || options.has('W');
        settings_.barges = options.has('B');
        settings_.hears_target = !options.has('W');
        settings_.hears_others = !options.has('W') && !options.has('o');
        next_digit_ = key('c', '*');
        exit_digit_ = key('x', 0);
    }

    Task<AppResult> run() {
        co_await record();
        while (!over()) {
            const auto target = next();
            if (!target) {
                if (options_.has('S')) break;
                co_await wait_for_one();
                continue;
            }
            co_await introduce(*target);
            co_await listen_to(target);
            if (options_.has('E') && target->hung_up()) break;
        }
        co_await stop();
        co_return channel_.hung_up() ? AppResult::hangup : AppResult::proceed;
    }

private:
    char key(char option, char otherwise) const {
        const auto text = options_.argument(option).value_or("");
        return text.empty() ? otherwise : text.front();
    }
    bool over() const {
        return done_ || channel_.hung_up() ||
               channel_.interrupted() != dialplan::Call::Interrupt::none;
    }

    bool fits(const Channel& other) const {
        if (&other == &channel_ || !other.is_up() || other.media_follows() || !other.party())
            return false;
        // Those who listen themselves have nothing to say.
        if (iequals(other.last_application, "ChanSpy") ||
            iequals(other.last_application, "ExtenSpy"))
            return false;
        // u: the channel itself is named.
        if (chosen_.empty() && options_.has('u') && !wanted_.prefix.empty())
            return fits_further(other) && (iequals(other.name(), wanted_.prefix) ||
                                           iequals(other.uniqueid(), wanted_.prefix));
        if (!chosen_.empty() ? !iequals(device(other), wanted_.prefix + "/" + chosen_)
                             : !istarts_with(other.name(), wanted_.prefix))
            return false;
        return fits_further(other);
    }
    bool fits_further(const Channel& other) const {
        if (wanted_.place && (other.position().exten != wanted_.place->exten ||
                              other.position().context != wanted_.place->context))
            return false;
        if (options_.has('b') && (!other.bridge || !other.bridge->peer_of(other))) return false;
        if (const auto names = options_.argument('e'); names && !in_list(name_of(other), *names))
            return false;
        if (const auto groups = options_.argument('g'); groups && !groups->empty()) {
            const auto own = other.variable("SPYGROUP").value_or("");
            return std::ranges::any_of(split(own, ':'),
                                       [&](auto group) { return in_list(trim(group), *groups); });
        }
        return true;
    }
    static bool in_list(std::string_view name, std::string_view list) {
        return std::ranges::any_of(split(list, ':'), [&](auto part) {
            return !trim(part).empty() && iequals(trim(part), name);
        });
    }
    // "PJSIP/alice" of "PJSIP/alice-0000002a".
    static std::string_view device(const Channel& channel) {
        const std::string_view name = channel.name();
        return name.substr(0, name.rfind('-'));
    }
    static std::string_view name_of(const Channel& channel) {
        return split_once(device(channel), '/').second;
    }

    // The one after the last, in the order in which they came; then from the first again.
    ChannelPtr next() {
        ChannelPtr first;
        for (const auto& other : channel_.core().channels.all()) {
            if (!fits(*other)) continue;
            if (other->serial() > last_) {
                last_ = other->serial();
                return other;
            }
            if (!first) first = other;
        }
        if (first) last_ = first->serial();
        return first;
    }

    Task<> play(std::string names) {
        auto prompts = find_prompts(channel_, names);
        if (!prompts.paths.empty())
            (void)co_await channel_.play_and_wait(std::move(prompts.paths), "any");
    }

    // Option n([mailbox][@context]): the name as its owner has spoken it.
    std::string own_name(const Channel& target) const {
        const auto box = options_.argument('n');
        if (!box) return {};
        const auto [mailbox, context] = split_once(*box, '@');
        const auto& directories = channel_.core().config->asterisk.directories;
        const auto spool = directories.find("astspooldir");
        auto greeting = fmt::format(
            "{}/voicemail/{}/{}/greet",
            spool == directories.end() ? channel_.core().state_directory : spool->second,
            context.empty() ? "default" : context, mailbox.empty() ? name_of(target) : mailbox);
        return channel_.core().sounds.find(greeting, channel_.language) ? greeting : std::string();
    }

    // A beep, and the name of the channel; only the beep with s.
    Task<> introduce(const Channel& target) {
        if (options_.has('q')) co_return;
        std::string names = "beep";
        if (!options_.has('s')) {
            const auto technology = to_lower(target.technology());
            const std::string spoken = technology == "pjsip" ? "spy-sip" : "spy-" + technology;
            if (channel_.core().sounds.find(spoken, channel_.language)) names += "&" + spoken;
            if (const auto own = own_name(target); !own.empty())
                names += "&" + own;
            else
                for (const auto& sound : Speech::of(channel_.language).letters(name_of(target)))
                    names += "&" + sound;
        }
        co_await play(std::move(names));
    }

    Task<> apply(Channel& target) {
        const auto mine = channel_.party();
        const auto theirs = target.party();
        if (!mine || !theirs) co_return;
        settings_.gain = gain(volume_);
        media::SpyRequest request{*mine, *theirs, settings_};
        const auto listening = co_await channel_.core().engine.spy(std::move(request));
        if (!listening && !target.hung_up() && !channel_.hung_up())
            channel_.report(log::Level::warning, listening.error().text());
    }
    Task<> stop() {
        const auto mine = channel_.party();
        if (channel_.hung_up() || !mine) co_return;
        media::StopSpyRequest request{*mine};
        (void)co_await channel_.core().engine.stop_spy(std::move(request));
    }

    Task<> listen_to(ChannelPtr target) {
        moves_on_ = false;
        co_await apply(*target);
        while (!over() && !moves_on_ && fits(*target)) {
            const auto item = co_await channel_.inbox().next(channel_.core().now() + look);
            const auto* digit = item ? std::get_if<channel::Digit>(&item->event) : nullptr;
            if (digit && press(digit->digit)) co_await apply(*target);
        }
        co_await stop();
    }

    // Nobody is there to listen to; keys that leave are obeyed.
    Task<> wait_for_one() {
        static constexpr Duration pause = std::chrono::seconds{1};
        const Time until = channel_.core().now() + pause;
        while (!over() && channel_.core().now() < until) {
            const auto item = co_await channel_.inbox().next(until);
            if (const auto* digit = item ? std::get_if<channel::Digit>(&item->event) : nullptr)
                (void)press(digit->digit);
        }
    }

    // True when what is heard or said changes by it.
    bool press(char digit) {
        if (digit == exit_digit_) {
            done_ = true;
        } else if (options_.has('X') && exits_to(digit)) {
            done_ = true;
        } else if (digit == next_digit_) {
            moves_on_ = true;
            dialled_.clear();
            chosen_.clear();
        } else if (options_.has('d') && (digit == '4' || digit == '5' || digit == '6')) {
            settings_.whispers = digit == '5';
            settings_.barges = digit == '6';
            settings_.hears_target = settings_.hears_others = true;
            return true;
        } else if (digit == '#' && !dialled_.empty()) {
            chosen_ = std::exchange(dialled_, {});
            last_ = 0;
            moves_on_ = true;
        } else if (digit == '#') {
            volume_ = volume_ >= loudest ? -loudest : volume_ + 1;
            return true;
        } else if (dialled_.size() < max_dialled) {
            dialled_ += digit;
        }
        return false;
    }

    bool exits_to(char digit) {
        const auto context =
            channel_.variable("SPY_EXIT_CONTEXT").value_or(channel_.position().context);
        const std::string exten(1, digit);
        if (!channel_.dialplan()->exists(context, exten, channel_.query())) return false;
        channel_.jump({context, exten, 1});
        return true;
    }

    // Option r(name): what is heard, and whispered.
    Task<> record() {
        const auto base = options_.argument('r');
        const auto party = channel_.party();
        if (!base || !party) co_return;
        auto& core = channel_.core();
        const auto path =
            recording_path(fmt::format("{}-{}", base->empty() ? "chanspy" : *base,
                                       std::chrono::system_clock::to_time_t(io::wall_now())),
                           core.recordings);
        if (!path) {
            channel_.report(log::Level::warning, path.error().text());
            co_return;
        }
        media::RecordRequest request{*party, *path};
        request.id = core.channels.next_media_id(channel_);
        const auto begun = co_await core.engine.record(std::move(request));
        if (!begun) channel_.report(log::Level::warning, begun.error().text());
    }

    Channel& channel_;
    Wanted wanted_;
    const OptionLetters& options_;
    media::SpySettings settings_;
    int volume_ = 0;
    char next_digit_, exit_digit_;
    std::string dialled_;     ///< digits, until `#`
    std::string chosen_;      ///< the one they named
    std::uint64_t last_ = 0;  ///< serial of whom it listened to last
    bool moves_on_ = false, done_ = false;
};

Task<AppResult> spy(Channel& channel, Wanted wanted, std::string_view letters) {
    if (!co_await open_media(channel)) co_return AppResult::hangup;
    const OptionLetters options(letters);
    Spying spying(channel, std::move(wanted), options);
    co_return co_await spying.run();
}

// ChanSpy([prefix[,options]])
Task<AppResult> chan_spy(Call& call, std::string_view args) {
    const auto arguments = dialplan::split_arguments(args);
    Wanted wanted;
    // "all" is what "" is.
    if (!iequals(argument(arguments, 0), "all")) wanted.prefix = argument(arguments, 0);
    const std::string letters(argument(arguments, 1));
    co_return co_await spy(static_cast<Channel&>(call), std::move(wanted), letters);
}

// ExtenSpy(exten[@context][,options])
Task<AppResult> exten_spy(Call& call, std::string_view args) {
    const auto arguments = dialplan::split_arguments(args);
    const auto [exten, context] = split_once(argument(arguments, 0), '@');
    Wanted wanted;
    wanted.place = dialplan::Position{
        context.empty() ? call.position().context : std::string(context), std::string(exten), 1};
    const std::string letters(argument(arguments, 1));
    co_return co_await spy(static_cast<Channel&>(call), std::move(wanted), letters);
}

}  // namespace

void add_spy_applications(dialplan::Applications& applications) {
    applications.add("ChanSpy", "Listen to channels: ChanSpy([prefix[,options]])", chan_spy);
    applications.add("ExtenSpy",
                     "Listen to who is in an extension: ExtenSpy(exten[@context][,options])",
                     exten_spy);
}

}  // namespace strowger::pbx
