#include "media/resampler.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace strowger::media {

namespace {

// Blackman window: side lobes 58 dB down, with the sinc about 74 dB of stop band.
double window(double x) {  // x from -1 to 1
    return 0.42 + 0.5 * std::cos(std::numbers::pi * x) + 0.08 * std::cos(2 * std::numbers::pi * x);
}

double sinc(double x) {
    return std::abs(x) < 1e-9 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
}

}  // namespace

Resampler::Resampler(std::uint32_t from, std::uint32_t to) {
    from = std::clamp<std::uint32_t>(from, 1000, 384000);
    to = std::clamp<std::uint32_t>(to, 1000, 384000);
    const auto divisor = std::gcd(from, to);
    up_ = to / divisor;
    down_ = from / divisor;
    if (is_identity()) return;
    const std::size_t phases = std::min<std::uint64_t>(up_, max_phases);
    // The pass band ends below the lower of the two Nyquist frequencies.
    const double cutoff = 0.92 * std::min(1.0, static_cast<double>(to) / from);
    const double reach = zero_crossings / cutoff;
    taps_ = static_cast<std::size_t>(std::ceil(reach)) * 2;
    phases_ = phases;
    filter_.resize(taps_ * phases);
    for (std::size_t phase = 0; phase < phases; ++phase) {
        const double offset = static_cast<double>(phase) / static_cast<double>(phases);
        double sum = 0;
        for (std::size_t tap = 0; tap < taps_; ++tap) {
            // Tap taps_/2 - 1 is the sample at or before the output's place.
            const double x = static_cast<double>(tap) - static_cast<double>(taps_ / 2 - 1) - offset;
            const double value =
                std::abs(x) >= reach ? 0 : cutoff * sinc(x * cutoff) * window(x / reach);
            filter_[phase * taps_ + tap] = static_cast<float>(value);
            sum += value;
        }
        // Every phase passes a constant unchanged, so none hums.
        for (std::size_t tap = 0; tap < taps_; ++tap) {
            filter_[phase * taps_ + tap] /= static_cast<float>(sum);
        }
    }
    reset();
}

void Resampler::reset() {
    history_.assign(taps_ == 0 ? 0 : taps_ / 2 - 1, 0.0F);
    at_ = 0;
    phase_ = taken_ = given_ = 0;
}

void Resampler::process(std::span<const Sample> in, std::vector<Sample>& out) {
    if (is_identity()) {
        out.insert(out.end(), in.begin(), in.end());
        return;
    }
    history_.insert(history_.end(), in.begin(), in.end());
    taken_ += in.size();
    emit(out);
}

void Resampler::flush(std::vector<Sample>& out) {
    if (is_identity()) return;
    const std::uint64_t total = (taken_ * up_ + down_ - 1) / down_;
    history_.insert(history_.end(), taps_ + 1, 0.0F);
    const std::size_t before = out.size();
    const std::uint64_t given = given_;
    emit(out);
    out.resize(before + static_cast<std::size_t>(std::min<std::uint64_t>(
                            out.size() - before, total - std::min(total, given))));
    reset();
}

void Resampler::emit(std::vector<Sample>& out) {
    while (at_ + taps_ <= history_.size()) {
        const std::size_t phase = static_cast<std::size_t>(phase_ * phases_ / up_);
        const float* const filter = &filter_[phase * taps_];
        const float* const samples = &history_[at_];
        float sum = 0;
        for (std::size_t i = 0; i < taps_; ++i) sum += filter[i] * samples[i];
        out.push_back(static_cast<Sample>(std::lround(std::clamp(sum, -32768.0F, 32767.0F))));
        ++given_;
        phase_ += down_;
        at_ += static_cast<std::size_t>(phase_ / up_);
        phase_ %= up_;
    }
    const std::size_t used = std::min(at_, history_.size());
    history_.erase(history_.begin(), history_.begin() + static_cast<std::ptrdiff_t>(used));
    at_ -= used;
}

}  // namespace strowger::media
