#include "media/plc.hpp"

#include <algorithm>
#include <cmath>

namespace strowger::media {

namespace {

// Appendix I, section 4.2: correlate the last 20 ms with what lay one period before.
constexpr std::size_t correlation_length = 160;
constexpr double fade_per_piece = 0.2;        // section 4.4: a fifth every 10 ms after the first
constexpr std::size_t silent_after = 480;     // 60 ms
constexpr std::size_t resume_per_piece = 32;  // section 4.6: 4 ms longer for every 10 ms lost
constexpr std::size_t resume_longest = 80;

Sample rounded(double value) {
    return static_cast<Sample>(std::lround(std::clamp(value, -32768.0, 32767.0)));
}

}  // namespace

void Plc::received(std::span<Sample> frame) {
    if (erased_ > 0) {
        const std::size_t pieces = (erased_ + piece - 1) / piece;
        const std::size_t length =
            std::min({overlap_ + (pieces - 1) * resume_per_piece, resume_longest, frame.size()});
        for (std::size_t i = 0; i < length; ++i) {
            const double weight = static_cast<double>(i + 1) / static_cast<double>(length + 1);
            frame[i] = rounded(synthesise() * (1 - weight) + frame[i] * weight);
        }
        erased_ = 0;
    }
    pass(frame);
}

void Plc::conceal(std::span<Sample> frame) {
    if (erased_ == 0) begin();
    for (auto& sample : frame) sample = rounded(synthesise());
    pass(frame);
}

// Keeps the samples and gives back those of `delay` before.
void Plc::pass(std::span<Sample> samples) {
    while (!samples.empty()) {
        const auto now = samples.first(std::min(samples.size(), piece));
        std::copy(history_.begin() + static_cast<std::ptrdiff_t>(now.size()), history_.end(),
                  history_.begin());
        std::ranges::copy(now, history_.end() - static_cast<std::ptrdiff_t>(now.size()));
        std::copy_n(history_.end() - static_cast<std::ptrdiff_t>(now.size() + delay), now.size(),
                    now.begin());
        samples = samples.subspan(now.size());
    }
}

std::size_t Plc::find_pitch() const {
    const Sample* const recent = history_.data() + history_size - correlation_length;
    std::size_t best = pitch_max;
    double best_score = -1;
    for (std::size_t lag = pitch_min; lag <= pitch_max; ++lag) {
        double product = 0, energy = 1;  // not 0: silence divides by it
        for (std::size_t i = 0; i < correlation_length; ++i) {
            const double past =
                recent[static_cast<std::ptrdiff_t>(i) - static_cast<std::ptrdiff_t>(lag)];
            product += recent[i] * past;
            energy += past * past;
        }
        const double score = product / std::sqrt(energy);
        if (score > best_score) {
            best_score = score;
            best = lag;
        }
    }
    return best;
}

void Plc::begin() {
    pitch_ = find_pitch();
    overlap_ = pitch_ / 4;
    before_ = history_;
    current_ = {.length = pitch_, .position = 0};
    fade_left_ = 0;
    // The end of what was received, still undelivered, leads over into the repeated period.
    Cycle tail{.length = pitch_, .position = pitch_ - overlap_};
    for (std::size_t i = history_size - overlap_; i < history_size; ++i) {
        history_[i] = rounded(next(tail));
    }
}

double Plc::next(Cycle& cycle) const {
    const std::size_t at = history_size - cycle.length + cycle.position;
    double value = before_[at];
    if (const auto fade_at = cycle.length - overlap_; cycle.position >= fade_at) {
        const double weight =
            static_cast<double>(cycle.position - fade_at + 1) / static_cast<double>(overlap_ + 1);
        value = value * (1 - weight) + before_[at - cycle.length] * weight;
    }
    cycle.position = (cycle.position + 1) % cycle.length;
    return value;
}

double Plc::synthesise() {
    if (erased_ >= silent_after) return 0;
    // Section 4.3: after 10 and 20 ms take a period more, so that it does not buzz.
    if ((erased_ == piece || erased_ == piece * 2) && current_.length < pitch_ * 3) {
        leaving_ = current_;
        current_.length += pitch_;
        fade_left_ = overlap_;
    }
    double value = next(current_);
    if (fade_left_ > 0) {
        const double weight = static_cast<double>(fade_left_) / static_cast<double>(overlap_ + 1);
        value = value * (1 - weight) + next(leaving_) * weight;
        --fade_left_;
    }
    const double faded = erased_ < piece ? 0
                                         : fade_per_piece * static_cast<double>(erased_ - piece) /
                                               static_cast<double>(piece);
    ++erased_;
    return value * (1 - faded);
}

}  // namespace strowger::media
