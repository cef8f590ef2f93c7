#include "media/report_watch.hpp"

#include <algorithm>

namespace strowger::media {
namespace {

// A packet that is packed, and a jitter buffer of twice the jitter.
constexpr Duration packet_time = std::chrono::milliseconds{20};

// Further apart two reports that belong together are not: a time beyond is a peer's mistake.
constexpr Duration longest_round_trip = std::chrono::seconds{10};

Duration of_ntp(std::uint32_t units) {  // 1/65536 s
    return Duration(static_cast<std::int64_t>(std::uint64_t{units} * 1'000'000'000U >> 16));
}

}  // namespace

void ReportWatch::sent(Bytes compound, Time now) {
    const auto parts = rtcp::Compound::parse(compound, rtcp::Strictness::reduced);
    if (!parts) return;
    for (const auto& part : *parts)
        if (const auto report = rtcp::SenderReport::parse(part))
            sent_[next_++ % sent_.size()] = {static_cast<std::uint32_t>(report->info.ntp >> 16),
                                             now};
}

void ReportWatch::sample(const rtcp::ReportBlock& block, Time now, const Terms& terms,
                         std::span<StreamFigures::Quality> told) const {
    const auto place = std::ranges::find_if(told, [&](const auto& one) {
        return one.samples.get() == 0 || one.ssrc.get() == block.ssrc;
    });
    if (place == told.end()) return;
    auto& one = *place;
    std::optional<Duration> round_trip;
    if (block.last_sr != 0)
        for (const Sent& sent : sent_)
            if (sent.middle == block.last_sr) {
                const Duration took = now - sent.at - of_ntp(block.delay_since_last_sr);
                if (took >= Duration{} && took < longest_round_trip) round_trip = took;
            }
    const double jitter_ms = 1000.0 * block.jitter / std::max(terms.clock_rate, 1U);
    const double loss = 100.0 * block.fraction_lost / 256;
    const double round_trip_ms = round_trip ? seconds(*round_trip) * 1000 : 0;
    CallQuality quality{.loss_percent = loss};
    if (!terms.listening)
        quality.one_way_delay = round_trip.value_or(Duration{}) / 2 + packet_time +
                                std::chrono::microseconds{
                                    static_cast<std::int64_t>(std::min(jitter_ms, 1000.0) * 2000)};
    const double mos = mos_of(rating_factor(quality, terms.codec));

    const auto keep = [&](StreamFigures::Quality::Sample& sample) {
        sample.mos.set(mos);
        sample.jitter_ms.set(jitter_ms);
        sample.loss_percent.set(loss);
        sample.round_trip_ms.set(round_trip_ms);
        sample.at.set(StreamFigures::stamp(now));
    };
    const bool first = one.samples.get() == 0;
    if (first || mos < one.lowest.mos.get()) keep(one.lowest);
    if (first || mos > one.highest.mos.get()) keep(one.highest);
    one.ssrc.set(block.ssrc);
    one.mos.add(mos);
    one.jitter_ms.add(jitter_ms);
    one.loss_percent.add(loss);
    one.lost.set(block.cumulative_lost);
    if (round_trip) {
        one.round_trip_ms.add(round_trip_ms);
        one.round_trips.add(1);
    }
    one.samples.add(1);
}

}  // namespace strowger::media
