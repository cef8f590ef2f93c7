#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/time.hpp"
#include "media/stream_figures.hpp"

namespace strowger::relay {

/// By StreamFigures::Ice and ::Dtls, as `query` and the metrics name them.
constexpr std::array<std::string_view, 6> ice_states{"none",      "waiting",   "checking",
                                                     "connected", "completed", "failed"};
constexpr std::array<std::string_view, 4> dtls_states{"none", "handshake", "connected", "ended"};

/// What ICE and DTLS came to, of streams towards browsers.
struct WebrtcTotals {
    std::uint64_t checks_rejected = 0, consents_lost = 0, paths_not_found = 0;
    std::uint64_t handshakes = 0, handshakes_failed = 0;

    void add(const media::StreamFigures& figures) {
        checks_rejected += figures.checks_rejected.get();
        consents_lost += figures.consents_lost.get();
        paths_not_found += figures.paths_not_found.get();
        handshakes += figures.handshakes.get();
        handshakes_failed += figures.handshakes_failed.get();
    }
};

/// What parties said of streams in RTCP, or what was measured: sums over the samples.
struct QualityTotals {
    std::uint64_t samples = 0, round_trips = 0;
    double mos = 0, jitter_ms = 0, loss_percent = 0, round_trip_ms = 0;

    void add(const media::StreamFigures::Quality& one) {
        samples += one.samples.get();
        round_trips += one.round_trips.get();
        mos += one.mos.get();
        jitter_ms += one.jitter_ms.get();
        loss_percent += one.loss_percent.get();
        round_trip_ms += one.round_trip_ms.get();
    }
};

/// What the relay has done since it started; calls that are still up are not in the sums of
/// packets.
struct Totals {
    std::uint64_t sessions = 0;
    std::uint64_t timed_out = 0, silent_timed_out = 0, offer_timed_out = 0, final_timed_out = 0;
    std::uint64_t regular = 0;  ///< ended by `delete`
    std::uint64_t rejected = 0;
    std::uint64_t packets = 0, bytes = 0, errors = 0;
    WebrtcTotals webrtc;
    QualityTotals quality;
    std::uint64_t one_way = 0;   ///< calls with media from one party only
    std::uint64_t no_media = 0;  ///< calls without any
    Duration call_time{};        ///< of ended calls together
};

}  // namespace strowger::relay
