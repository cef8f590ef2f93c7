#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "wire/rtp/packet.hpp"

namespace strowger::rtp {

/// Follows one received stream: order, loss and jitter (RFC 3550 sections 6.4.1, A.1, A.3, A.8).
///
/// One source at a time: a packet from another SSRC starts a new source after the same probation,
/// and the totals go on over the change. Nothing is allocated.
class ReceiverStatistics {
public:
    struct Config {
        std::uint32_t clock_rate = 8000;
        unsigned probation = 2;  ///< packets in order before a source counts; A.1's MIN_SEQUENTIAL
    };

    enum class Verdict : std::uint8_t {
        probation,  ///< not valid yet. Counted afterwards, if the source proves itself
        in_order,   ///< next, or later with a gap before it
        reordered,  ///< came late, but for the first time as far as the window of 64 can tell
        duplicate,
        jump,     ///< far from what was expected; the next in sequence after it is a new start
        started,  ///< a source begins to count: probation passed, or two in order after a jump
    };

    ReceiverStatistics() : ReceiverStatistics(Config{}) {}
    explicit ReceiverStatistics(Config config) : config_(config) {}

    Verdict receive(const Header& header, std::size_t payload_size, Time now);

    /// The codec changed to another clock; jitter in units goes over to it.
    void set_clock_rate(std::uint32_t clock_rate);
    std::uint32_t clock_rate() const { return config_.clock_rate; }

    bool valid() const { return valid_; }         ///< a source has passed its probation
    std::uint32_t ssrc() const { return ssrc_; }  ///< of the current source
    std::uint32_t source_changes() const { return source_changes_; }
    Time last_received() const { return last_received_; }

    // Totals over all sources.
    std::uint64_t packets() const { return packets_; }  ///< duplicates not counted
    std::uint64_t bytes() const { return bytes_; }      ///< payload bytes of those
    std::uint64_t expected() const { return past_expected_ + current_expected(); }
    std::uint64_t lost() const { return expected() > packets_ ? expected() - packets_ : 0; }
    std::uint64_t reordered() const { return reordered_; }
    std::uint64_t duplicates() const { return duplicates_; }
    double loss_percent() const;
    /// Mean length of a run of lost packets over that of random loss: G.107's BurstR, 1 or more.
    double burst_ratio() const;

    // Of the current source, as a report block wants them (section 6.4.1).
    std::uint32_t extended_highest_sequence() const { return cycles_ + highest_; }
    std::int32_t cumulative_lost()
        const;  ///< 24 bits signed; duplicates and late ones count as received
    std::uint32_t jitter() const { return jitter_ >> 4; }  ///< timestamp units
    double jitter_ms() const;
    /// Loss since the last call in 1/256; starts the next interval.
    std::uint8_t take_fraction_lost();

private:
    Verdict probe(const Header& header, std::size_t payload_size, Time now);
    Verdict advance(const Header& header, std::uint16_t delta, std::size_t payload_size, Time now);
    Verdict late(const Header& header, std::uint16_t behind, std::size_t payload_size, Time now);
    Verdict duplicate();
    void start_source(std::uint32_t ssrc, std::uint16_t first_sequence);
    void count(const Header& header, std::size_t payload_size, Time now);
    std::uint32_t transit(const Header& header, Time now) const;
    void update_jitter(const Header& header, Time now);
    std::uint64_t current_expected() const;

    Config config_;
    bool valid_ = false;
    std::uint32_t ssrc_ = 0;

    // A source in probation, before or beside the valid one.
    std::uint32_t candidate_ssrc_ = 0;
    unsigned candidate_count_ = 0;
    std::size_t candidate_bytes_ = 0;
    std::uint16_t candidate_first_ = 0, candidate_next_ = 0;
    std::uint32_t candidate_timestamp_ = 0;
    std::optional<std::uint32_t> candidate_transit_;

    std::uint16_t base_ = 0, highest_ = 0;
    std::uint32_t cycles_ = 0;
    std::uint32_t bad_sequence_ = 0x10000;  // above 16 bits: matches no sequence number
    std::uint64_t window_ = 0;              // bit n: highest_ - n has come
    std::uint64_t source_received_ = 0;     // with duplicates, as A.3 counts
    std::uint64_t prior_expected_ = 0, prior_received_ = 0;

    std::uint32_t jitter_ = 0;  // scaled by 16 (A.8)
    std::optional<std::uint32_t> transit_;
    std::uint32_t last_timestamp_ = 0;

    std::uint64_t packets_ = 0, bytes_ = 0, reordered_ = 0, duplicates_ = 0, past_expected_ = 0;
    std::uint64_t loss_runs_ = 0, gap_packets_ = 0;
    std::uint32_t source_changes_ = 0;
    Time last_received_{};
};

}  // namespace strowger::rtp
