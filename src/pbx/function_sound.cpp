// VOLUME, AGC, DENOISE, JITTERBUFFER: what is done to the sound of a channel.

#include <charconv>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/channel.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Call;

/// Steps that the keys of VOLUME's `p` go; from there on nothing is heard but clipping.
constexpr float most_steps = 100;
constexpr int default_level = 8000;

std::optional<float> parse_float(std::string_view text) {
    float value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// TX is what the channel hears, RX what it says.
media::SoundSettings* settings_of(Channel& channel, std::string_view direction) {
    if (iequals(direction, "TX")) return &channel.hears;
    if (iequals(direction, "RX")) return &channel.says;
    return nullptr;
}

void apply(Channel& channel) {
    channel.core().tasks.spawn([](ChannelPtr self) -> Task<> {
        (void)co_await self->shape_sound();
    }(channel.shared_from_this()));
}

// A volume of 3 is three times as loud, one of -3 a third; 0, 1 and -1 change nothing.
float gain_of(float volume) {
    if (volume == 0) return 1;
    return volume > 0 ? volume : 1 / -volume;
}

/// VOLUME's option p: * makes what the party hears quieter, # louder.
class VolumeKeys {
public:
    bool press(Channel& channel, char digit) {
        if (digit != '*' && digit != '#') return false;
        step_ = std::clamp(step_ + (digit == '#' ? 1.F : -1.F), -most_steps, most_steps);
        if (std::abs(step_) == 1) step_ = digit == '#' ? 2.F : -2.F;  // 1 and -1 are no change
        if (step_ == 0) step_ = 1;
        channel.hears.gain = gain_of(step_);
        apply(channel);
        return true;
    }
    void begin(float volume) { step_ = volume; }

private:
    float step_ = 1;
};

// VOLUME(TX|RX[,p])=number
Result<> write_volume(Call& call, std::string_view args, std::string_view value) {
    auto& channel = static_cast<Channel&>(call);
    const auto [direction, letters] = split_once(args, ',');
    auto* const settings = settings_of(channel, trim(direction));
    if (!settings) return fail("VOLUME({}): expected TX or RX", args);
    const auto volume = parse_float(trim(value));
    if (!volume || !(std::abs(*volume) <= most_steps))
        return fail("VOLUME: '{}' is no number from -100 to 100", value);
    if (!channel.party()) return fail("the channel has no media yet");
    settings->gain = gain_of(*volume);
    if (OptionLetters(letters).has('p')) {
        VolumeKeys keys;
        keys.begin(*volume);
        channel.takes_digit = [&channel, keys](char digit) mutable {
            return keys.press(channel, digit);
        };
    }
    apply(channel);
    return {};
}

// DENOISE(rx|tx)=on|off
Result<> write_denoise(Call& call, std::string_view args, std::string_view value) {
    auto& channel = static_cast<Channel&>(call);
    auto* const settings = settings_of(channel, trim(args));
    if (!settings) return fail("DENOISE({}): expected tx or rx", args);
    if (!channel.party()) return fail("the channel has no media yet");
    settings->denoise = is_true(trim(value));
    apply(channel);
    return {};
}

Result<std::string> read_denoise(Call& call, std::string_view args) {
    const auto* settings = settings_of(static_cast<Channel&>(call), trim(args));
    if (!settings) return fail("DENOISE({}): expected tx or rx", args);
    return std::string(settings->denoise ? "on" : "off");
}

// AGC(rx|tx)=level|on|off
Result<> write_agc(Call& call, std::string_view args, std::string_view value) {
    auto& channel = static_cast<Channel&>(call);
    auto* const settings = settings_of(channel, trim(args));
    if (!settings) return fail("AGC({}): expected tx or rx", args);
    const auto wanted = trim(value);
    int level = 0;
    if (const auto given = parse_number<int>(wanted); given && *given != 0 && *given != 1)
        level = *given;
    else if (is_true(wanted))
        level = default_level;
    if (level < 0 || level > 32768) return fail("AGC: '{}' is no level from 1 to 32768", value);
    if (!channel.party()) return fail("the channel has no media yet");
    settings->level = level;
    apply(channel);
    return {};
}

Result<std::string> read_agc(Call& call, std::string_view args) {
    const auto* settings = settings_of(static_cast<Channel&>(call), trim(args));
    if (!settings) return fail("AGC({}): expected tx or rx", args);
    return std::to_string(settings->level);
}

std::optional<media::JitterSettings::Kind> jitter_kind(std::string_view name) {
    using enum media::JitterSettings::Kind;
    if (iequals(name, "disabled")) return none;
    if (iequals(name, "fixed")) return fixed;
    if (iequals(name, "adaptive")) return adaptive;
    return std::nullopt;
}

// JITTERBUFFER(fixed|adaptive|disabled)=max[,resync[,target[,video]]], in milliseconds; what is
// left out, negative or `default` is as it is anyway. Video goes on as it comes.
Result<> write_jitter_buffer(Call& call, std::string_view args, std::string_view value) {
    auto& channel = static_cast<Channel&>(call);
    const auto kind = jitter_kind(trim(args));
    if (!kind) return fail("JITTERBUFFER({}): expected fixed, adaptive or disabled", args);
    media::JitterSettings settings{.kind = *kind};
    std::string_view rest = value;
    for (Duration* const setting : {&settings.max, &settings.resync, &settings.target}) {
        const auto [word, others] = split_once(rest, ',');
        rest = others;
        if (trim(word).empty() || iequals(trim(word), "default")) continue;
        const auto given = parse_number<int>(trim(word));
        if (!given) return fail("JITTERBUFFER: '{}' is no number of milliseconds", word);
        if (*given >= 0) *setting = std::chrono::milliseconds{*given};
    }
    if (settings.max > media::longest_jitter)
        return fail("JITTERBUFFER: at most {} ms",
                    media::longest_jitter / std::chrono::milliseconds{1});
    if (!channel.party()) return fail("the channel has no media yet");
    channel.jitter = settings;
    apply(channel);
    return {};
}

}  // namespace

void add_sound_functions(dialplan::Functions& functions) {
    functions.add("VOLUME", "Make a channel louder or quieter: VOLUME(TX|RX[,p])=factor", {},
                  write_volume);
    functions.add("DENOISE", "Take noise out: DENOISE(tx|rx)=on", read_denoise, write_denoise);
    functions.add("AGC", "Bring speech to one level: AGC(tx|rx)=level", read_agc, write_agc);
    functions.add("JITTERBUFFER",
                  "Even out what a channel says: JITTERBUFFER(fixed|adaptive|disabled)=max", {},
                  write_jitter_buffer);
}

}  // namespace strowger::pbx
