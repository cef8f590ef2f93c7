#include "wire/rtcp/reporter.hpp"

namespace strowger::rtcp {

void Reporter::receive(const Compound& compound, Time now, std::uint64_t ntp_now) {
    const auto look = [&](const ReportBlocks& blocks) {
        const auto block = blocks.about(own_ssrc_);
        if (!block) return;
        remote_view_ = block;
        if (const auto trip = rtcp::round_trip(*block, ntp_now)) round_trip_ = trip;
    };
    for (const Packet& packet : compound) {
        if (const auto report = SenderReport::parse(packet)) {
            last_sr_ = ntp_middle(report->info.ntp);
            last_sr_ssrc_ = report->ssrc;
            last_sr_at_ = now;
            look(report->blocks);
        } else if (const auto receiver_report = ReceiverReport::parse(packet)) {
            look(receiver_report->blocks);
        } else if (packet.type == Type::bye) {
            bye_ = true;
        }
    }
}

ReportBlock Reporter::report(rtp::ReceiverStatistics& received, Time now) {
    ReportBlock block{.ssrc = received.ssrc(),
                      .fraction_lost = received.take_fraction_lost(),
                      .cumulative_lost = received.cumulative_lost(),
                      .highest_sequence = received.extended_highest_sequence(),
                      .jitter = received.jitter()};
    if (last_sr_ && last_sr_ssrc_ == received.ssrc()) {
        block.last_sr = *last_sr_;
        block.delay_since_last_sr = delay_units(now - last_sr_at_);
    }
    return block;
}

}  // namespace strowger::rtcp
