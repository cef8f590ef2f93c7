#include "media/tones.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

#include "base/text.hpp"

namespace strowger::media {

namespace {

constexpr double rate = 8000;
constexpr double full_scale_dbm = 3.14;  // G.711: the level of a sine that just reaches full scale

double sine(double frequency, std::uint64_t sample) {
    // Tones of whole hertz repeat every second: this keeps the argument small and exact.
    const double turns = std::fmod(frequency * static_cast<double>(sample % 80000), rate) / rate;
    return std::sin(2 * std::numbers::pi * turns);
}

Sample clip(double value) {
    return static_cast<Sample>(std::lround(std::clamp(value, -32768.0, 32767.0)));
}

std::uint64_t samples_of(Duration duration) {
    return static_cast<std::uint64_t>(std::max<Duration::rep>(0, duration.count())) / 125'000;
}

constexpr double ramp_samples = 16;  // 2 ms: keys without clicks

}  // namespace

double amplitude_of(double level_dbm) {
    return 32767 * std::pow(10, (level_dbm - full_scale_dbm) / 20);
}

Result<ToneGenerator> ToneGenerator::parse(std::string_view spec, double level_dbm) {
    ToneGenerator tone;
    tone.amplitude_ = amplitude_of(level_dbm);
    const auto frequency = [&](std::string_view text) -> std::optional<double> {
        const auto value = parse_number<double>(trim(text));
        if (!value || !(*value >= 0) || *value > rate / 2) return std::nullopt;
        return value;
    };
    std::string_view rest = spec;
    while (true) {
        const auto end = rest.find_first_of(",&|");
        auto text = trim(rest.substr(0, end));
        if (tone.elements_.size() == max_elements) {
            return fail("tone '{}': more than {} elements", spec.substr(0, 80), max_elements);
        }
        Element element;
        if (text.starts_with('!')) {
            element.once = true;
            text.remove_prefix(1);
        }
        const auto slash = text.find('/');
        if (slash != std::string_view::npos) {
            const auto ms = parse_number<std::uint32_t>(trim(text.substr(slash + 1)));
            if (!ms || *ms == 0 || *ms > max_ms) {
                return fail("tone '{}': expected 1 to {} milliseconds, got '{}'",
                            spec.substr(0, 80), max_ms, text.substr(slash + 1));
            }
            element.samples = std::uint64_t{*ms} * 8;
        }
        auto sounds = text.substr(0, slash);
        if (const auto star = sounds.find('*'); star != std::string_view::npos) {
            const auto modulator = frequency(sounds.substr(star + 1));
            if (!modulator) {
                return fail("tone '{}': expected a frequency to modulate with, got '{}'",
                            spec.substr(0, 80), sounds.substr(star + 1));
            }
            element.modulator = *modulator;
            sounds = sounds.substr(0, star);
        }
        for (const auto part : split(sounds, '+')) {
            const auto value = frequency(part);
            if (!value || element.count == max_frequencies) {
                return fail("tone '{}': expected up to {} frequencies of 0 to 4000 Hz, got '{}'",
                            spec.substr(0, 80), max_frequencies, sounds);
            }
            element.frequencies[element.count++] = *value;
        }
        tone.elements_.push_back(element);
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
    }
    return tone;
}

std::size_t ToneGenerator::generate(std::span<Sample> out) {
    std::size_t done = 0;
    for (; done < out.size() && !finished(); ++done) {
        const auto& element = elements_[at_];
        double value = 0;
        for (std::size_t i = 0; i < element.count; ++i)
            value += sine(element.frequencies[i], clock_);
        // Full modulation: the carrier comes and goes with the beat.
        if (element.modulator > 0) value *= (1 + sine(element.modulator, clock_)) / 2;
        out[done] = clip(value * amplitude_);
        ++clock_;
        ++in_element_;
        if (element.samples != 0 && in_element_ >= element.samples) advance();
    }
    return done;
}

void ToneGenerator::rewind() { at_ = in_element_ = clock_ = 0; }

void ToneGenerator::advance() {
    in_element_ = 0;
    if (++at_ < elements_.size()) return;
    at_ = 0;
    while (at_ < elements_.size() && elements_[at_].once)
        ++at_;  // only once, all of them: finished
}

DtmfPair dtmf_pair(char digit) {
    constexpr std::string_view keys = "123A456B789C*0#D";
    constexpr int low[] = {697, 770, 852, 941}, high[] = {1209, 1336, 1477, 1633};
    if (digit >= 'a' && digit <= 'd') digit = static_cast<char>(digit - 32);
    const auto at = digit == '\0' ? std::string_view::npos : keys.find(digit);
    if (at == std::string_view::npos) return {0, 0};
    return {low[at / 4], high[at % 4]};
}

Result<DtmfGenerator> DtmfGenerator::make(std::string_view digits, Duration on, Duration off) {
    if (digits.size() > max_digits) {
        return fail("DTMF: {} digits; {} are the limit", digits.size(), max_digits);
    }
    for (const char digit : digits) {
        if (dtmf_pair(digit).low == 0) {
            return fail("DTMF '{}': expected 0-9, *, # or A-D, got '{}'", digits, digit);
        }
    }
    DtmfGenerator generator;
    generator.digits_ = digits;
    generator.on_ = std::max<std::uint64_t>(1, samples_of(on));
    generator.off_ = samples_of(off);
    return generator;
}

std::size_t DtmfGenerator::generate(std::span<Sample> out) {
    static const double low = amplitude_of(low_level), high = amplitude_of(high_level);
    std::size_t done = 0;
    for (; done < out.size() && !finished(); ++done) {
        out[done] = 0;
        if (in_digit_ < on_) {
            const auto pair = dtmf_pair(digits_[at_]);
            const double edge = static_cast<double>(std::min(in_digit_ + 1, on_ - in_digit_));
            out[done] = clip(std::min(1.0, edge / ramp_samples) *
                             (low * sine(pair.low, in_digit_) + high * sine(pair.high, in_digit_)));
        }
        if (++in_digit_ >= on_ + off_) {
            in_digit_ = 0;
            ++at_;
        }
    }
    return done;
}

}  // namespace strowger::media
