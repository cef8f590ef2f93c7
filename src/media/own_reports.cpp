#include "media/own_reports.hpp"

#include <algorithm>
#include <utility>

namespace strowger::media {
namespace {

// "Since the last or the one before" (RFC 3550 section 6.4).
constexpr unsigned reports_of_a_sender = 2;

std::uint32_t units(Duration time, std::uint32_t clock_rate) {
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(time);
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(whole.count()) * clock_rate +
                                      static_cast<std::uint64_t>((time - whole).count()) *
                                          clock_rate / 1'000'000'000U);
}

}  // namespace

OwnReports::OwnReports(const Settings& settings, Random& random, Time now)
    : settings_(settings), own_ssrc_(random.next32()) {
    schedule(now, random);
}

void OwnReports::schedule(Time now, Random& random) {
    deadline_ = now + settings_.interval +
                Duration(static_cast<std::int64_t>(random.below(spread.count())));
}

template <typename Source>
Source& OwnReports::place_of(std::array<Source, max_sources>& sources, std::uint32_t ssrc) {
    Source* oldest = sources.data();
    for (Source& one : sources) {
        if (one.used && one.ssrc == ssrc) return one;
        if (oldest->used && (!one.used || one.last < oldest->last)) oldest = &one;
    }
    *oldest = Source{};
    oldest->ssrc = ssrc;
    oldest->used = true;
    return *oldest;
}

void OwnReports::heard(const rtp::Header& header, std::size_t payload_size, Time now) {
    Heard& source = place_of(heard_, header.ssrc);
    source.statistics.set_clock_rate(settings_.clock_rates[header.payload_type & 0x7f]);
    source.statistics.receive(header, payload_size, now);
    source.last = now;
    source.news = true;
}

void OwnReports::heard_report(Bytes compound, Time now) {
    const auto parts = rtcp::Compound::parse(compound, rtcp::Strictness::reduced);
    if (!parts) return;
    for (const auto& part : *parts) {
        const auto report = rtcp::SenderReport::parse(part);
        if (!report) continue;
        const auto source = std::ranges::find_if(
            heard_, [&](const Heard& one) { return one.used && one.ssrc == report->ssrc; });
        if (source == heard_.end()) continue;
        source->last_sr = rtcp::ntp_middle(report->info.ntp);
        source->last_sr_at = now;
    }
}

void OwnReports::sent(const rtp::Header& header, std::size_t payload_size, std::uint32_t clock_rate,
                      Time now) {
    Sent& source = place_of(sent_, header.ssrc);
    // Packets of one timestamp (an event, a video frame) begin with the time that it stands for.
    const bool later = source.packets == 0 ||
                       static_cast<std::int32_t>(header.timestamp - source.timestamp) > 0 ||
                       now - source.stamped > settings_.interval;
    if (later) {
        source.timestamp = header.timestamp;
        source.stamped = now;
    }
    source.clock_rate = clock_rate;
    ++source.packets;
    source.octets += static_cast<std::uint32_t>(payload_size);
    source.silent_reports = 0;
    source.last = now;
}

std::span<const rtcp::ReportBlock> OwnReports::collect(Time now, Random& random) {
    schedule(now, random);
    std::size_t count = 0;
    for (Heard& source : heard_) {
        if (!source.used || !std::exchange(source.news, false)) continue;
        auto& received = source.statistics;
        if (!received.valid()) continue;
        auto& block = blocks_[count++];
        block = {.ssrc = source.ssrc,
                 .fraction_lost = received.take_fraction_lost(),
                 .cumulative_lost = received.cumulative_lost(),
                 .highest_sequence = received.extended_highest_sequence(),
                 .jitter = received.jitter()};
        if (!source.last_sr) continue;
        block.last_sr = *source.last_sr;
        block.delay_since_last_sr = rtcp::delay_units(now - source.last_sr_at);
    }
    return std::span(blocks_).first(count);
}

std::uint32_t OwnReports::clock_rate(std::uint32_t ssrc) const {
    for (const Heard& source : heard_)
        if (source.used && source.ssrc == ssrc) return source.statistics.clock_rate();
    return settings_.heard.clock_rate;
}

// False: there is nobody to report as.
bool OwnReports::report(rtcp::CompoundWriter& compound, std::span<const rtcp::ReportBlock> blocks,
                        Time now, std::uint64_t ntp, std::string_view cname) {
    bool any = false, sender = false;
    for (Sent& source : sent_) {
        if (!source.used) continue;
        any = true;
        if (source.silent_reports++ >= reports_of_a_sender) continue;
        compound.sender_report(
            source.ssrc,
            {.ntp = ntp,
             .rtp = source.timestamp + units(now - source.stamped, source.clock_rate),
             .packets = source.packets,
             .octets = source.octets},
            sender ? std::span<const rtcp::ReportBlock>{} : blocks);
        compound.cname(source.ssrc, cname);
        sender = true;
    }
    any = any || std::ranges::any_of(heard_, &Heard::used);
    if (!any) return false;
    if (!sender) {
        compound.receiver_report(own_ssrc_, blocks).cname(own_ssrc_, cname);
        own_told_ = true;
    }
    return true;
}

Bytes OwnReports::write(MutableBytes out, std::span<const rtcp::ReportBlock> blocks, Time now,
                        std::uint64_t ntp, std::string_view cname) {
    rtcp::CompoundWriter compound(out);
    return report(compound, blocks, now, ntp, cname) ? compound.finish() : Bytes{};
}

Bytes OwnReports::write_goodbye(MutableBytes out, std::span<const rtcp::ReportBlock> blocks,
                                Time now, std::uint64_t ntp, std::string_view cname) {
    const bool sent = std::ranges::any_of(sent_, &Sent::used);
    if (!sent && !own_told_) return {};
    rtcp::CompoundWriter compound(out);
    if (!report(compound, blocks, now, ntp, cname)) return {};
    for (const Sent& source : sent_)
        if (source.used) compound.bye(source.ssrc);
    if (own_told_) compound.bye(own_ssrc_);
    return compound.finish();
}

std::size_t feedback_alone(MutableBytes packet) {
    constexpr std::size_t empty_report = 8;
    const auto compound = rtcp::Compound::parse(packet, rtcp::Strictness::reduced);
    if (!compound) return 0;
    // Room for the report is where that of the party was; without one it knows RFC 5506.
    const auto first = *compound->begin();  // of the iterator, which goes
    const bool reported =
        (first.type == rtcp::Type::sender_report || first.type == rtcp::Type::receiver_report) &&
        first.bytes.size() >= empty_report;
    const std::size_t begin = reported ? empty_report : 0;
    std::size_t kept = begin;
    std::uint32_t sender = 0;
    for (const auto& part : *compound) {
        if (part.type != rtcp::Type::transport_feedback &&
            part.type != rtcp::Type::payload_feedback)
            continue;
        sender = part.ssrc();
        std::copy(part.bytes.begin(), part.bytes.end(),
                  packet.begin() + static_cast<std::ptrdiff_t>(kept));
        kept += part.bytes.size();
    }
    if (kept == begin) return 0;
    if (reported) rtcp::CompoundWriter(packet.first(empty_report)).receiver_report(sender);
    return kept;
}

}  // namespace strowger::media
