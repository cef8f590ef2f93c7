#include "media/speech_match.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

namespace strowger::media {

namespace {

constexpr std::size_t segment = 1600;       // 200 ms: several syllables' worth of pitch periods
constexpr std::ptrdiff_t search = 40;       // 5 ms around where the last one was found
constexpr double active_below_peak = 1e-4;  // power: 40 dB below the loudest segment is silence
constexpr double least_power = 100;         // mean square; amplitude 10 of 32767 is no speech
constexpr double least_correlation = 0.5;   // other voices correlate this much by chance
constexpr double recognised = 0.8;
constexpr std::ptrdiff_t half_taps = 8;  // of the interpolator

using Complex = std::complex<float>;

// In place, length a power of two. Roots are computed in double: errors must not add up over 2^23.
void fourier(std::vector<Complex>& data, bool inverse) {
    const std::size_t size = data.size();
    for (std::size_t i = 1, j = 0; i < size; ++i) {
        std::size_t bit = size >> 1;
        for (; (j & bit) != 0; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) std::swap(data[i], data[j]);
    }
    std::vector<Complex> roots(size / 2);
    const double turn = (inverse ? 2 : -2) * std::numbers::pi / static_cast<double>(size);
    for (std::size_t i = 0; i < roots.size(); ++i) {
        roots[i] = Complex(std::polar(1.0, turn * static_cast<double>(i)));
    }
    for (std::size_t length = 2; length <= size; length *= 2) {
        const std::size_t stride = size / length;
        for (std::size_t start = 0; start < size; start += length) {
            for (std::size_t k = 0; k < length / 2; ++k) {
                const Complex odd = data[start + k + length / 2] * roots[k * stride];
                const Complex even = data[start + k];
                data[start + k] = even + odd;
                data[start + k + length / 2] = even - odd;
            }
        }
    }
}

/// The lag of `received` behind `sent` at which they agree most.
std::ptrdiff_t find_delay(std::span<const Sample> sent, std::span<const Sample> received) {
    std::size_t size = 1;
    while (size < sent.size() + received.size()) size *= 2;
    // Two real sequences in one transform each would do; clarity is worth the factor of two.
    std::vector<Complex> a(size), b(size);
    for (std::size_t i = 0; i < sent.size(); ++i) a[i] = Complex(sent[i] / 32768.0F);
    for (std::size_t i = 0; i < received.size(); ++i) b[i] = Complex(received[i] / 32768.0F);
    fourier(a, false);
    fourier(b, false);
    for (std::size_t i = 0; i < size; ++i) b[i] *= std::conj(a[i]);
    fourier(b, true);
    const auto best = std::ranges::max_element(b, {}, [](const Complex& c) { return c.real(); });
    const auto at = best - b.begin();
    return static_cast<std::size_t>(at) < received.size() ? at
                                                          : at - static_cast<std::ptrdiff_t>(size);
}

double power_of(std::span<const Sample> samples) {
    double sum = 0;
    for (const Sample s : samples) sum += static_cast<double>(s) * s;
    return samples.empty() ? 0 : sum / static_cast<double>(samples.size());
}

/// Received samples at a place that may lie between two and outside of all.
class Received {
public:
    explicit Received(std::span<const Sample> samples) : samples_(samples) {}

    double at(std::ptrdiff_t index) const {
        return index < 0 || index >= std::ssize(samples_)
                   ? 0
                   : samples_[static_cast<std::size_t>(index)];
    }

    void fetch(std::ptrdiff_t from, double fraction, std::span<double> out) const {
        std::array<double, 2 * half_taps> taps{};
        for (std::ptrdiff_t i = 0; i < std::ssize(taps); ++i) {
            const double x = static_cast<double>(i - half_taps + 1) - fraction;
            const double window = 0.5 + 0.5 * std::cos(std::numbers::pi * x / (half_taps + 1));
            const double angle = std::numbers::pi * x;
            taps[static_cast<std::size_t>(i)] =
                window * (std::abs(x) < 1e-9 ? 1 : std::sin(angle) / angle);
        }
        for (std::ptrdiff_t n = 0; n < std::ssize(out); ++n) {
            double sum = 0;
            for (std::ptrdiff_t i = 0; i < std::ssize(taps); ++i) {
                sum += taps[static_cast<std::size_t>(i)] * at(from + n + i - half_taps + 1);
            }
            out[static_cast<std::size_t>(n)] = sum;
        }
    }

private:
    std::span<const Sample> samples_;
};

struct Found {
    double correlation = 0;
    double lag = 0;
    double gain = 1;  // amplitude, received over sent
};

Found correlate(std::span<const Sample> sent, std::span<const double> candidate, double lag) {
    double product = 0, energy = 0, sent_energy = 0;
    for (std::size_t i = 0; i < sent.size(); ++i) {
        product += sent[i] * candidate[i];
        energy += candidate[i] * candidate[i];
        sent_energy += static_cast<double>(sent[i]) * sent[i];
    }
    // Silence correlates with nothing, not even itself.
    if (energy < least_power || sent_energy < least_power) return {.correlation = 0, .lag = lag};
    return {.correlation = product / std::sqrt(energy * sent_energy),
            .lag = lag,
            .gain = std::sqrt(energy / sent_energy)};
}

/// Looks for one segment around a lag, first in whole samples, then in quarters.
Found find_segment(std::span<const Sample> sent, std::ptrdiff_t start, const Received& received,
                   std::ptrdiff_t around) {
    std::vector<double> candidate(sent.size());
    Found best{.correlation = 0, .lag = static_cast<double>(around)};
    for (std::ptrdiff_t lag = around - search; lag <= around + search; ++lag) {
        for (std::size_t i = 0; i < sent.size(); ++i) {
            candidate[i] = received.at(start + lag + static_cast<std::ptrdiff_t>(i));
        }
        const auto found = correlate(sent, candidate, static_cast<double>(lag));
        if (found.correlation > best.correlation) best = found;
    }
    const auto whole = static_cast<std::ptrdiff_t>(best.lag);
    for (const double quarter : {-0.5, -0.25, 0.25, 0.5}) {
        const std::ptrdiff_t base = whole + (quarter < 0 ? -1 : 0);
        received.fetch(start + base, quarter < 0 ? quarter + 1 : quarter, candidate);
        const auto found = correlate(sent, candidate, static_cast<double>(whole) + quarter);
        if (found.correlation > best.correlation) best = found;
    }
    return best;
}

Duration samples_long(double samples) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(samples / 8000));
}

}  // namespace

SpeechMatch match_speech(std::span<const Sample> sent, std::span<const Sample> received) {
    sent = sent.first(std::min(sent.size(), max_compared));
    received = received.first(std::min(received.size(), max_compared));
    SpeechMatch match;
    if (sent.size() < segment || received.empty()) return match;

    const auto delay = find_delay(sent, received);
    match.delay = samples_long(static_cast<double>(delay));

    double peak = 0;
    for (std::size_t at = 0; at + segment <= sent.size(); at += segment) {
        peak = std::max(peak, power_of(sent.subspan(at, segment)));
    }
    const double active = std::max(least_power, peak * active_below_peak);

    const Received there(received);
    std::size_t segments = 0, matched = 0;
    double score = 0, gain = 0, first_lag = 0, last_lag = 0;
    std::ptrdiff_t around = delay;
    for (std::size_t at = 0; at + segment <= sent.size(); at += segment) {
        const auto part = sent.subspan(at, segment);
        if (power_of(part) < active) continue;
        ++segments;
        const auto found = find_segment(part, static_cast<std::ptrdiff_t>(at), there, around);
        if (found.correlation < least_correlation) continue;
        score += found.correlation * found.correlation;
        if (found.correlation < recognised) continue;
        if (matched++ == 0) first_lag = found.lag;
        last_lag = found.lag;
        gain += found.gain;
        around = std::lround(found.lag);
    }
    if (segments == 0) return match;
    match.similarity = std::min(1.0, score / static_cast<double>(segments));
    match.matched = static_cast<double>(matched) / static_cast<double>(segments);
    if (matched > 0) {
        match.level_change = 20 * std::log10(gain / static_cast<double>(matched));
        match.drift = samples_long(last_lag - first_lag);
    }
    return match;
}

}  // namespace strowger::media
