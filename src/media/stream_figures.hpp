#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/address.hpp"
#include "base/time.hpp"

namespace strowger::media {

/// What one relayed stream has carried. Written by its media thread alone, read by anybody: each
/// figure is right by itself, but those read together may be a packet apart.
class StreamFigures {
public:
    /// A figure with one writer: plain loads and stores, no locked instruction.
    template <typename T>
    class Figure {
    public:
        T get() const { return value_.load(std::memory_order_relaxed); }
        void set(T value) { value_.store(value, std::memory_order_relaxed); }
        void add(T n) { set(get() + n); }

    private:
        std::atomic<T> value_{};
    };

    struct Count {
        Figure<std::uint64_t> packets, bytes;
        Figure<std::uint64_t>
            errors;  ///< malformed, not authentic, too long, or refused on sending

        void packet(std::size_t size) {
            packets.add(1);
            bytes.add(size);
        }
    };

    static constexpr std::size_t max_ssrcs = 4;  ///< remembered; a browser's section has up to four

    /// How one stream fares, as the party that hears it says in RTCP: sums over the samples.
    struct Quality {
        struct Sample {
            Figure<double> mos, jitter_ms, loss_percent, round_trip_ms;
            Figure<std::int64_t> at;  ///< when, as `last_rtp`
        };
        Figure<std::uint32_t> ssrc;
        Figure<std::uint64_t> samples, round_trips;  ///< of the latter those that had a time
        Figure<double> mos, jitter_ms, loss_percent, round_trip_ms;
        Figure<std::int64_t> lost;  ///< packets altogether, as it said last
        Sample lowest, highest;     ///< by MOS
    };

    Count rtp_in, rtcp_in, rtp_out, rtcp_out;
    std::array<Quality, max_ssrcs> told;      ///< of what the party hears
    std::array<Quality, max_ssrcs> measured;  ///< of what it sends, as we hear it
    Figure<std::int64_t> last_rtp,
        last_rtcp;  ///< when, in nanoseconds of the monotonic clock; 0: never
    std::array<Figure<std::uint32_t>, max_ssrcs> ssrcs_in;
    Figure<std::uint8_t> payload_type;  ///< of the last packet
    Figure<std::uint64_t> played;       ///< samples of the file that plays to the party, or did
    /// Of a stream that speaks ICE and DTLS.
    enum class Ice : std::uint8_t { none, waiting, checking, connected, completed, failed };
    enum class Dtls : std::uint8_t { none, handshake, connected, ended };
    Figure<Ice> ice;
    Figure<Dtls> dtls;
    Figure<bool> ice_controls;
    Figure<std::uint64_t> checks_rejected;    ///< STUN that is malformed, forged or not asked for
    Figure<std::uint64_t> consents_lost;      ///< RFC 7675
    Figure<std::uint64_t> paths_not_found;    ///< ICE that failed
    Figure<std::uint64_t> handshakes;         ///< of DTLS that led to keys
    Figure<std::uint64_t> handshakes_failed;  ///< refused, or with another certificate
    Figure<std::uint8_t> srtp_suite;          ///< that DTLS agreed on, when connected
    Figure<bool> confirmed;                   ///< the source is known and nobody else is heard

    /// Where packets to the party go now; port 0: nobody knows. Read while it changes it may be
    /// half the old one.
    SocketAddress remote() const {
        std::array<std::uint8_t, 16> bytes;
        const std::uint64_t words[] = {remote_high_.get(), remote_low_.get()};
        std::memcpy(bytes.data(), words, sizeof words);
        const auto port = static_cast<std::uint16_t>(remote_port_.get());
        if (remote_port_.get() & v6_bit) return {IpAddress::v6(bytes), port};
        return {IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]}), port};
    }
    void set_remote(const SocketAddress& remote) {
        std::uint64_t words[2] = {};
        std::memcpy(words, remote.ip.data(), remote.ip.size());
        remote_high_.set(words[0]);
        remote_low_.set(words[1]);
        remote_port_.set(remote.port | (remote.ip.is_v6() ? v6_bit : 0));
    }

    void heard(std::uint32_t ssrc) {
        if (ssrcs_in[0].get() == ssrc) return;
        for (auto& place : ssrcs_in) {
            if (place.get() == ssrc) return;
            if (place.get() == 0) return place.set(ssrc);
        }
    }
    static std::int64_t stamp(Time now) { return now.time_since_epoch().count(); }

private:
    static constexpr std::uint32_t v6_bit = 1U << 16;
    Figure<std::uint64_t> remote_high_, remote_low_;
    Figure<std::uint32_t> remote_port_;
};

}  // namespace strowger::media
