#include "media/dtmf_detector.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "media/tones.hpp"

namespace strowger::media {

namespace {

constexpr std::array<double, 8> tones{697, 770, 852, 941, 1209, 1336, 1477, 1633};
constexpr std::string_view keys = "123A456B789C*0#D";
constexpr double rate = 8000;
constexpr double least_level = -36;     // dBm0, of both tones together
constexpr double least_share = 0.70;    // of the block's energy, in the two tones
constexpr double most_harmonic = 0.15;  // of a tone's power, at twice its frequency
constexpr double high_weaker = 14, high_stronger = 4.0;  // power, with leakage: 8 dB and 6 dB
constexpr double most_off = 0.022;  // between 1.5 % that must and 3.5 % that must not
constexpr unsigned blocks_to_begin = 3, blocks_to_end = 3;

double angle_of(std::size_t index) {
    const double frequency = index < 8 ? tones[index] : 2 * tones[index - 8];
    return 2 * std::numbers::pi * frequency / rate;
}

const std::array<double, 16>& coefficients() {
    static const auto table = [] {
        std::array<double, 16> values{};
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2 * std::cos(angle_of(i));
        return values;
    }();
    return table;
}

Duration blocks_long(std::uint32_t blocks) {
    return std::chrono::milliseconds{10} * static_cast<std::int64_t>(blocks);
}

}  // namespace

void DtmfDetector::process(std::span<const Sample> samples) {
    const auto& coefficient = coefficients();
    for (const Sample sample : samples) {
        for (std::size_t i = 0; i < filters_.size(); ++i) {
            auto& [s1, s2] = filters_[i];
            const double s0 = sample + coefficient[i] * s1 - s2;
            s2 = s1;
            s1 = s0;
        }
        energy_ += static_cast<double>(sample) * sample;
        if (++filled_ == block) finish_block();
    }
}

bool DtmfDetector::poll(Key& key) {
    if (queued_ == 0) return false;
    key = queue_[head_];
    head_ = (head_ + 1) % max_queued;
    --queued_;
    return true;
}

/// The key that the block just filled sounds like, NUL for none; and the phases of its tones.
char DtmfDetector::classify(Phases& phases) const {
    constexpr double samples = block;
    static const double least_energy = std::pow(amplitude_of(least_level), 2) / 2 * samples;
    if (energy_ < least_energy) return 0;
    std::array<std::complex<double>, 16> value;
    std::array<double, 16> power{};  // as energy: a tone alone in the block gives all of `energy_`
    for (std::size_t i = 0; i < value.size(); ++i) {
        value[i] = filters_[i].s1 - filters_[i].s2 * std::polar(1.0, -angle_of(i));
        power[i] = std::norm(value[i]) * 2 / samples;
    }
    const auto low = static_cast<std::size_t>(std::max_element(power.begin(), power.begin() + 4) -
                                              power.begin());
    const auto high = static_cast<std::size_t>(
        std::max_element(power.begin() + 4, power.begin() + 8) - power.begin());
    if (power[low] + power[high] < least_share * energy_) return 0;
    if (power[low] > power[high] * high_weaker || power[high] > power[low] * high_stronger)
        return 0;
    // 2 x 697 and 2 x 770 lie near high tones (1336, 1477, 1633): their filters hear those as well.
    for (const auto tone : {low, high}) {
        const bool beside_other = std::abs(2 * tones[tone] - tones[high]) < 250;
        if (!beside_other && power[tone + 8] > most_harmonic * power[tone]) return 0;
    }
    phases = {.low = std::arg(value[low]), .high = std::arg(value[high])};
    return keys[low * 4 + (high - 4)];
}

/// Whether the phases went on since the last block as the key's two frequencies do.
bool DtmfDetector::steady(char digit, const Phases& phases) const {
    const auto [low, high] = dtmf_pair(digit);
    const auto off = [](double frequency, double before, double after) {
        const double turns = frequency * block / rate + (before - after) / (2 * std::numbers::pi);
        return std::abs(turns - std::round(turns)) * rate / block / frequency;
    };
    return off(low, phases_.low, phases.low) < most_off &&
           off(high, phases_.high, phases.high) < most_off;
}

void DtmfDetector::finish_block() {
    Phases phases;
    const char heard = classify(phases);
    filters_ = {};
    energy_ = 0;
    filled_ = 0;

    const bool goes_on = heard != 0 && heard == candidate_ && steady(heard, phases);
    candidate_blocks_ = goes_on ? candidate_blocks_ + 1 : heard != 0 ? 1 : 0;
    candidate_ = heard;
    phases_ = phases;

    if (current_ != 0) {
        if (heard == current_) {
            held_blocks_ += 1 + missing_blocks_;
            missing_blocks_ = 0;
        } else {
            ++missing_blocks_;
        }
        const bool other = heard != current_ && candidate_blocks_ >= blocks_to_begin;
        if (other || missing_blocks_ >= blocks_to_end) {
            push({.digit = current_, .end = true, .duration = blocks_long(held_blocks_)});
            current_ = 0;
        }
    }
    if (current_ == 0 && candidate_blocks_ == blocks_to_begin) {
        current_ = heard;
        held_blocks_ = blocks_to_begin;
        missing_blocks_ = 0;
        push({.digit = current_});
    }
}

void DtmfDetector::push(const Key& key) {
    if (queued_ == max_queued) return;
    queue_[(head_ + queued_++) % max_queued] = key;
}

}  // namespace strowger::media
