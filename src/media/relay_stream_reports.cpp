// RTCP of our own with a party, and figures of what it sends.
#include "io/clock.hpp"
#include "media/relay_stream.hpp"
#include "media/shard.hpp"

namespace strowger::media {

void RelayStream::report(const std::optional<OwnReports::Settings>& settings) {
    if (!settings) return reporter_.reset();
    if (reporter_) return reporter_->reports.set(*settings);
    take_over(OwnReports(*settings, shard_->random(), shard_->now()));
}

void RelayStream::take_over(const OwnReports& reports) {
    reporter_.reset(new Reporter{reports, Timer([this](Time now) { report_due(now); })});
    if (shard_) shard_->timers().arm(reporter_->timer, reports.deadline());
}

void RelayStream::report_due(Time now) {
    auto& reports = reporter_->reports;
    const auto blocks = reports.collect(now, shard_->random());
    shard_->timers().arm(reporter_->timer, reports.deadline());
    if (reports.settings().measure)
        for (const auto& block : blocks) {
            auto terms = reports.settings().heard;
            terms.clock_rate = reports.clock_rate(block.ssrc);
            // What its LSR says is of the party's clock, not of ours.
            auto here = block;
            here.last_sr = 0;
            reports_.sample(here, now, terms, figures_->measured);
        }
    if (!reports.settings().generate || !readable()) return;
    const MutableBytes buffer = shard_->second_buffer();
    const auto compound = reports.write(buffer.first(OwnReports::max_size), blocks, now,
                                        rtcp::ntp_time(io::wall_now()), shard_->cname());
    if (!compound.empty()) send_rtcp(buffer, compound.size());
}

// The call is over; or the party is, for us.
void RelayStream::say_goodbye() {
    if (!reporter_) return;
    const auto reporter = std::move(reporter_);
    // Without the path that it rode on there are no keys either.
    if (!reporter->reports.settings().generate || !readable() || (rode_ && !carrying())) return;
    auto& reports = reporter->reports;
    const auto blocks = reports.collect(shard_->now(), shard_->random());
    const MutableBytes buffer = shard_->second_buffer();
    const auto compound =
        reports.write_goodbye(buffer.first(OwnReports::max_size), blocks, shard_->now(),
                              rtcp::ntp_time(io::wall_now()), shard_->cname());
    if (!compound.empty()) send_rtcp(buffer, compound.size());
}

void RelayStream::count_sent(Bytes packet) {
    const auto parsed = rtp::Packet::parse(packet);
    if (!parsed) return;
    reporter_->reports.sent(parsed->header(), parsed->payload().size(), terms_.clock_rate,
                            shard_->now());
}

}  // namespace strowger::media
