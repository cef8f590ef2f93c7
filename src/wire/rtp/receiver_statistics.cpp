#include "wire/rtp/receiver_statistics.hpp"

#include <algorithm>

namespace strowger::rtp {

namespace {

// RFC 3550 A.1.
constexpr std::uint16_t max_dropout = 3000;
constexpr std::uint16_t max_misorder = 100;
constexpr std::uint32_t sequence_modulus = 1 << 16;

}  // namespace

auto ReceiverStatistics::receive(const Header& header, std::size_t payload_size, Time now)
    -> Verdict {
    last_received_ = now;
    if (!valid_ || header.ssrc != ssrc_) return probe(header, payload_size, now);

    const auto delta = static_cast<std::uint16_t>(header.sequence - highest_);
    if (delta == 0) return duplicate();
    if (delta < max_dropout) return advance(header, delta, payload_size, now);
    if (delta <= sequence_modulus - max_misorder) {
        if (header.sequence != bad_sequence_) {
            bad_sequence_ = (header.sequence + 1U) & (sequence_modulus - 1);
            return Verdict::jump;
        }
        // Two in sequence: the other side restarted without telling. The first of them is not
        // counted.
        start_source(header.ssrc, header.sequence);
        count(header, payload_size, now);
        return Verdict::started;
    }
    return late(header, static_cast<std::uint16_t>(-delta), payload_size, now);
}

// A new source is counted only after some packets in order, and then from its first one: A.1
// forgets those of the probation, but an exchange that reports N - 1 packets of N reports a loss.
auto ReceiverStatistics::probe(const Header& header, std::size_t payload_size, Time now)
    -> Verdict {
    const bool follows = candidate_count_ > 0 && header.ssrc == candidate_ssrc_ &&
                         header.sequence == candidate_next_;
    if (!follows) {
        candidate_ssrc_ = header.ssrc;
        candidate_first_ = header.sequence;
        candidate_count_ = 0;
        candidate_bytes_ = 0;
        candidate_transit_.reset();
    }
    ++candidate_count_;
    candidate_next_ = static_cast<std::uint16_t>(header.sequence + 1);
    if (candidate_count_ < config_.probation) {
        candidate_bytes_ += payload_size;
        candidate_transit_ = transit(header, now);
        candidate_timestamp_ = header.timestamp;
        return Verdict::probation;
    }
    if (valid_) ++source_changes_;
    start_source(candidate_ssrc_, candidate_first_);
    const unsigned before = candidate_count_ - 1;
    highest_ = header.sequence;
    if (highest_ < base_) cycles_ = sequence_modulus;
    window_ =
        candidate_count_ < 64 ? (std::uint64_t{1} << candidate_count_) - 1 : ~std::uint64_t{0};
    source_received_ = before;
    packets_ += before;
    bytes_ += candidate_bytes_;
    transit_ = candidate_transit_;
    last_timestamp_ = candidate_timestamp_;
    candidate_count_ = 0;
    count(header, payload_size, now);
    return Verdict::started;
}

auto ReceiverStatistics::advance(const Header& header, std::uint16_t delta,
                                 std::size_t payload_size, Time now) -> Verdict {
    if (header.sequence < highest_) cycles_ += sequence_modulus;
    if (delta > 1) {
        ++loss_runs_;
        gap_packets_ += delta - 1U;
    }
    highest_ = header.sequence;
    window_ = delta < 64 ? window_ << delta | 1 : 1;
    bad_sequence_ = sequence_modulus;
    count(header, payload_size, now);
    return Verdict::in_order;
}

auto ReceiverStatistics::late(const Header& header, std::uint16_t behind, std::size_t payload_size,
                              Time now) -> Verdict {
    if (behind < 64) {
        const std::uint64_t bit = std::uint64_t{1} << behind;
        if ((window_ & bit) != 0) return duplicate();
        window_ |= bit;
    }
    // From before the first packet: outside of what is expected, so it may not count as received.
    const std::uint64_t reach = extended_highest_sequence() - std::uint64_t{base_};
    if (behind > reach) return Verdict::reordered;
    ++reordered_;
    count(header, payload_size, now);
    return Verdict::reordered;
}

auto ReceiverStatistics::duplicate() -> Verdict {
    ++duplicates_;
    ++source_received_;
    return Verdict::duplicate;
}

void ReceiverStatistics::start_source(std::uint32_t ssrc, std::uint16_t first_sequence) {
    past_expected_ += current_expected();
    valid_ = true;
    ssrc_ = ssrc;
    base_ = highest_ = first_sequence;
    cycles_ = 0;
    bad_sequence_ = sequence_modulus;
    window_ = 1;
    source_received_ = prior_expected_ = prior_received_ = 0;
    jitter_ = 0;
    transit_.reset();
}

void ReceiverStatistics::count(const Header& header, std::size_t payload_size, Time now) {
    ++packets_;
    ++source_received_;
    bytes_ += payload_size;
    update_jitter(header, now);
}

std::uint32_t ReceiverStatistics::transit(const Header& header, Time now) const {
    const auto since = now.time_since_epoch();
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(since);
    const auto units =
        static_cast<std::uint64_t>(whole.count()) * config_.clock_rate +
        static_cast<std::uint64_t>((since - whole).count()) * config_.clock_rate / 1'000'000'000U;
    return static_cast<std::uint32_t>(units) - header.timestamp;
}

// A.8. Packets of one timestamp (a video frame, the updates of a telephone event) are sent apart on
// purpose and say nothing about the network.
void ReceiverStatistics::update_jitter(const Header& header, Time now) {
    if (transit_ && header.timestamp == last_timestamp_) return;
    const auto arrived = transit(header, now);
    if (transit_) {
        const auto difference = static_cast<std::int32_t>(arrived - *transit_);
        const std::uint32_t d = difference < 0 ? 0U - static_cast<std::uint32_t>(difference)
                                               : static_cast<std::uint32_t>(difference);
        // A step of more than ten seconds is a new timestamp base, not jitter.
        if (d < config_.clock_rate * 10ULL) jitter_ += d - ((jitter_ + 8) >> 4);
    }
    transit_ = arrived;
    last_timestamp_ = header.timestamp;
}

void ReceiverStatistics::set_clock_rate(std::uint32_t clock_rate) {
    if (clock_rate == 0 || clock_rate == config_.clock_rate) return;
    jitter_ = static_cast<std::uint32_t>(std::uint64_t{jitter_} * clock_rate / config_.clock_rate);
    config_.clock_rate = clock_rate;
    transit_.reset();
}

std::uint64_t ReceiverStatistics::current_expected() const {
    return valid_ ? std::uint64_t{extended_highest_sequence()} - base_ + 1 : 0;
}

double ReceiverStatistics::loss_percent() const {
    return expected() == 0 ? 0
                           : 100.0 * static_cast<double>(lost()) / static_cast<double>(expected());
}

// G.107: mean observed burst over the mean burst of random loss, which is 1 / (1 - loss).
double ReceiverStatistics::burst_ratio() const {
    if (loss_runs_ == 0) return 1;
    const double mean = static_cast<double>(gap_packets_) / static_cast<double>(loss_runs_);
    return std::max(1.0, mean * (1 - loss_percent() / 100));
}

double ReceiverStatistics::jitter_ms() const {
    return static_cast<double>(jitter_) / 16 * 1000 / config_.clock_rate;
}

std::int32_t ReceiverStatistics::cumulative_lost() const {
    const auto lost =
        static_cast<std::int64_t>(current_expected()) - static_cast<std::int64_t>(source_received_);
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(lost, -0x800000, 0x7fffff));
}

std::uint8_t ReceiverStatistics::take_fraction_lost() {
    const auto expected_now = current_expected();
    const auto expected_interval = expected_now - prior_expected_;
    const auto received_interval = source_received_ - prior_received_;
    prior_expected_ = expected_now;
    prior_received_ = source_received_;
    if (expected_interval == 0 || received_interval >= expected_interval) return 0;
    return static_cast<std::uint8_t>(std::min<std::uint64_t>(
        255, ((expected_interval - received_interval) << 8) / expected_interval));
}

}  // namespace strowger::rtp
