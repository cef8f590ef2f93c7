#include "media/shaper.hpp"

#include <speex/speex_preprocess.h>

#include <algorithm>
#include <cmath>

namespace strowger::media {

namespace {

constexpr int rate = 8000;
constexpr std::size_t frame = 160;  // 20 ms, which the library's estimates are made for
constexpr int max_level = 32768;    // of 16 bits

std::array<std::uint8_t, 256> table_of(g711::Law law, float gain) {
    std::array<std::uint8_t, 256> codes{};
    std::array<Sample, 256> samples{};
    for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint8_t>(i);
    (void)g711::decode(law, codes, samples);
    for (auto& sample : samples)
        sample = static_cast<Sample>(
            std::clamp(std::lround(static_cast<float>(sample) * gain), -32768L, 32767L));
    g711::encode(law, samples, codes);
    return codes;
}

}  // namespace

Result<std::unique_ptr<Shaper>> Shaper::make(const SoundSettings& settings) {
    if (!(settings.gain > 0) || settings.gain > max_gain)
        return fail("a gain of {} is out of range: above 0, to {}", settings.gain, max_gain);
    if (settings.level < 0 || settings.level > max_level)
        return fail("a level of {} is out of range: 1 to {}", settings.level, max_level);
    if (settings == SoundSettings{}) return nullptr;
    return std::unique_ptr<Shaper>(new Shaper(settings));
}

Shaper::Shaper(const SoundSettings& settings) : amplifies_(settings.gain != 1) {
    if (amplifies_)
        for (const auto law : {g711::Law::mu, g711::Law::a})
            louder_[static_cast<std::size_t>(law)] = table_of(law, settings.gain);
    if (!settings.denoise && settings.level == 0) return;
    speech_ = speex_preprocess_state_init(frame, rate);
    int denoise = settings.denoise ? 1 : 0;
    int level = settings.level != 0 ? 1 : 0;
    auto target = static_cast<float>(settings.level);
    speex_preprocess_ctl(speech_, SPEEX_PREPROCESS_SET_DENOISE, &denoise);
    speex_preprocess_ctl(speech_, SPEEX_PREPROCESS_SET_AGC, &level);
    if (level != 0) speex_preprocess_ctl(speech_, SPEEX_PREPROCESS_SET_AGC_LEVEL, &target);
}

Shaper::~Shaper() {
    if (speech_) speex_preprocess_state_destroy(speech_);
}

void Shaper::shape(g711::Law law, MutableBytes codes) {
    if (speech_ && codes.size() % frame == 0) {
        std::array<Sample, frame> samples;
        for (auto rest = codes; !rest.empty(); rest = rest.subspan(frame)) {
            const auto part = rest.first(frame);
            (void)g711::decode(law, part, samples);
            (void)speex_preprocess_run(speech_, samples.data());
            g711::encode(law, samples, part);
        }
    }
    if (!amplifies_) return;
    const auto& table = louder_[static_cast<std::size_t>(law)];
    for (auto& code : codes) code = table[code];
}

}  // namespace strowger::media
