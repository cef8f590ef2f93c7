// What `query`, `delete` and `statistics` tell (docs/relay.md).
#include <algorithm>
#include <array>
#include <cmath>

#include "relay/relay.hpp"

namespace strowger::relay {
namespace {

using Count = media::StreamFigures::Count;

void endpoint(ng::Writer& out, std::string_view key, const std::optional<SocketAddress>& address) {
    out.key(key).dictionary();
    if (address)
        out.pair("family", address->ip.is_v6() ? "IPv6" : "IPv4")
            .pair("address", address->ip.text())
            .pair("port", address->port);
    out.end();
}

void count(ng::Writer& out, std::string_view key, const Count& count) {
    out.key(key)
        .dictionary()
        .pair("packets", count.packets.get())
        .pair("bytes", count.bytes.get())
        .pair("errors", count.errors.get())
        .end();
}

// How its packets go, and why not a faster way.
std::pair<std::string_view, std::string_view> mode_of(const Party& party, const Section& section) {
    if (section.refused || !section.side) return {"none", "refused by a party"};
    if (party.block_media) return {"blocked", "asked for"};
    if (section.recoded) return {"transcode", "another party takes other codecs or packets"};
    if (section.passthrough) return {"forward", "SRTP passes under the parties' own keys"};
    if (!section.opaque && !section.sdes.ours().empty() && section.secure())
        return {"srtp", "this party's keys are not the other's"};
    if (section.webrtc.on) return {"srtp", "DTLS gave this party keys of its own"};
    if (section.opaque) return {"forward", "not looked into"};
    return {"forward", "no in-kernel forwarder is built yet"};
}

struct Sum {
    std::uint64_t packets = 0, bytes = 0, errors = 0;
    void add(const Count& count) {
        packets += count.packets.get();
        bytes += count.bytes.get();
        errors += count.errors.get();
    }
    void write(ng::Writer& out, std::string_view key) const {
        out.key(key)
            .dictionary()
            .pair("packets", packets)
            .pair("bytes", bytes)
            .pair("errors", errors)
            .end();
    }
};

// How far ICE and DTLS are, of the path that carries the section.
void path_of(ng::Writer& out, const Party& party, const Section& section) {
    using Figures = media::StreamFigures;
    const Section& carrier = section.carrier ? party.sections[*section.carrier] : section;
    const auto& figures = carrier.side->figures();
    out.pair("ICE state", ice_states[static_cast<std::size_t>(figures.ice.get())]);
    out.pair("DTLS state", dtls_states[static_cast<std::size_t>(figures.dtls.get())]);
    if (figures.dtls.get() == Figures::Dtls::connected)
        out.pair("DTLS suite",
                 srtp::info_of(static_cast<srtp::Suite>(figures.srtp_suite.get())).name);
}

void media_flags(ng::Writer& out, const Call& call, const Party& party, const Section& section) {
    out.key("flags").list();
    if (section.side) out.string("initialized");
    if (!section.refused && sdp::sends(section.direction)) out.string("send");
    if (!section.refused && sdp::receives(section.direction)) out.string("recv");
    if (section.mux) out.string("rtcp-mux");
    if (!section.sdes.ours().empty()) out.string("SDES");
    if (section.webrtc.on) {
        out.string("DTLS-SRTP");
        out.string(section.webrtc.role() == dtls::Role::client ? "DTLS role active"
                                                               : "DTLS role passive");
    }
    if (section.webrtc.has_path() && section.webrtc.ice) {
        out.string("ICE");
        if (section.webrtc.trickles) out.string("trickle ICE");
        if (section.side && section.side->figures().ice_controls.get())
            out.string("ICE controlling");
    }
    if (section.carrier) out.string("bundled");
    if (section.passthrough) out.string("passthrough");
    if (section.recoded) out.string("transcoding");
    if (section.side && call.holding(party, section)) out.string("jitter buffer");
    if (call.generate_rtcp && section.side && !section.opaque && !section.passthrough)
        out.string("generate RTCP");
    if (section.side && !section.place.target.symmetric) out.string("asymmetric");
    if (call.loop_check) out.string("loop check");
    out.end();
}

std::int64_t whole(double value) { return static_cast<std::int64_t>(std::lround(value)); }

}  // namespace

// As rtpengine counts: MOS in tenths, jitter in milliseconds, loss in percent, round trips in
// microseconds.
void Relay::quality(ng::Writer& out, const media::StreamFigures::Quality& one) const {
    const auto entry = [&](std::string_view key, double mos, double jitter_ms, double loss,
                           double round_trip_ms) -> ng::Writer& {
        out.key(key).dictionary().pair("MOS", whole(mos * 10));
        out.pair("round-trip time", whole(round_trip_ms * 1000));
        out.pair("round-trip time leg", whole(round_trip_ms * 1000));
        return out.pair("jitter", whole(jitter_ms)).pair("packet loss", whole(loss));
    };
    const auto samples = static_cast<double>(one.samples.get());
    const auto round_trips = static_cast<double>(std::max<std::uint64_t>(1, one.round_trips.get()));
    out.pair("cumulative loss", one.lost.get());
    entry("average MOS", one.mos.get() / samples, one.jitter_ms.get() / samples,
          one.loss_percent.get() / samples, one.round_trip_ms.get() / round_trips)
        .pair("samples", one.samples.get())
        .end();
    for (const auto& [key, sample] :
         {std::pair{"lowest MOS", &one.lowest}, {"highest MOS", &one.highest}})
        entry(key, sample->mos.get(), sample->jitter_ms.get(), sample->loss_percent.get(),
              sample->round_trip_ms.get())
            .pair("reported at", calendar_second(sample->at.get()))
            .end();
}

// Of each SSRC once, however many hear it.
void Relay::qualities(const Call& call, ng::Writer& out) const {
    std::vector<std::uint32_t> told;
    for (const auto* one : call.qualities()) {
        const auto ssrc = one->ssrc.get();
        if (std::ranges::find(told, ssrc) != told.end()) continue;
        told.push_back(ssrc);
        out.key(fmt::to_string(ssrc)).dictionary();
        quality(out, *one);
        out.end();
    }
}

std::int64_t Relay::calendar_second(std::int64_t stamp) const {
    if (stamp == 0) return 0;
    const Duration ago = clock_.now() - Time(Duration(stamp));
    return std::chrono::duration_cast<std::chrono::seconds>((wall() - ago).time_since_epoch())
        .count();
}

void Relay::report(const Call& call, ng::Writer& out) const {
    using std::chrono::duration_cast;
    const auto created = call.created.time_since_epoch();
    out.pair("created", duration_cast<std::chrono::seconds>(created).count());
    out.pair("created_us", duration_cast<std::chrono::microseconds>(created).count() % 1'000'000);
    out.pair("created_ts", duration_cast<std::chrono::microseconds>(created).count());
    out.pair("last signal",
             duration_cast<std::chrono::seconds>(call.last_signal.time_since_epoch()).count());
    out.key("SSRC").dictionary();
    if (settings_.quality_global) qualities(call, out);
    out.end();
    Sum rtp, rtcp;
    std::size_t nameless = 0;
    out.key("tags").dictionary();
    for (const auto& party : call.parties) {
        out.key(party->tag.empty() ? fmt::format("<no tag> {}", nameless++) : party->tag)
            .dictionary();
        out.pair("tag", party->tag);
        if (!party->via_branch.empty()) out.pair("via-branch", party->via_branch);
        if (!party->label.empty()) out.pair("label", party->label);
        out.pair("created",
                 duration_cast<std::chrono::seconds>(party->created.time_since_epoch()).count());
        if (party->dialogue) out.pair("in dialogue with", party->dialogue->tag);
        const auto relation = [&](std::string_view tag, bool offer_answer) {
            out.dictionary().pair("tag", tag);
            out.pair("type", offer_answer ? "offer/answer" : "pub/sub").end();
        };
        out.key("subscriptions").list();
        for (const auto& source : party->sources) relation(source.source->tag, source.offer_answer);
        out.end().key("subscribers").list();
        for (const auto& other : call.parties)
            for (const auto& source : other->sources)
                if (source.source == party.get()) relation(other->tag, source.offer_answer);
        out.end();

        out.key("medias").list();
        for (std::size_t i = 0; i < party->sections.size(); ++i) {
            const auto& section = party->sections[i];
            const auto [mode, why] = mode_of(*party, section);
            out.dictionary().pair("index", i + 1).pair("type", section.kind);
            if (!section.protocol.empty()) out.pair("protocol", section.protocol);
            if (!section.payloads.empty()) out.pair("codec", section.payloads.front().codec.name);
            out.pair("mode", mode).pair("why", why);
            media_flags(out, call, *party, section);
            if (section.webrtc.has_path() && section.side) path_of(out, *party, section);
            out.key("streams").list();
            if (section.side) {
                const auto& figures = section.side->figures();
                rtp.add(figures.rtp_in);
                rtcp.add(figures.rtcp_in);
                for (const bool is_rtcp : {false, true}) {
                    const auto& in = is_rtcp ? figures.rtcp_in : figures.rtp_in;
                    const auto& sent = is_rtcp ? figures.rtcp_out : figures.rtp_out;
                    auto where = figures.remote();
                    if (is_rtcp && !section.mux && where.port) ++where.port;
                    const bool muxed = is_rtcp && section.mux;
                    out.dictionary();
                    out.pair("local port", section.side->port() + (is_rtcp && !muxed ? 1 : 0));
                    out.pair("local address", section.local->bind.text());
                    out.pair("family", section.local->bind.is_v6() ? "IPv6" : "IPv4");
                    endpoint(out, "endpoint", where.port ? std::optional(where) : std::nullopt);
                    endpoint(out, "advertised endpoint",
                             is_rtcp ? section.signalled_rtcp : section.signalled);
                    if (const auto* crypto = section.sdes.answer(); crypto && section.secure())
                        out.pair("crypto suite", srtp::info_of(crypto->policy.suite).name);
                    else if (figures.dtls.get() == media::StreamFigures::Dtls::connected)
                        out.pair(
                            "crypto suite",
                            srtp::info_of(static_cast<srtp::Suite>(figures.srtp_suite.get())).name);
                    const auto last = std::max(
                        calendar_second(is_rtcp ? figures.last_rtcp.get() : figures.last_rtp.get()),
                        duration_cast<std::chrono::seconds>(created).count());
                    out.pair("last packet", last).pair("last user packet", last);
                    out.pair("last kernel packet", 0);
                    out.key("flags").list().string(is_rtcp ? "RTCP" : "RTP").string("filled");
                    if (is_rtcp && !section.mux && !section.rtcp_said) out.string("fallback RTCP");
                    if (section.webrtc.has_path() && section.webrtc.ice) out.string("ICE");
                    if (figures.dtls.get() == media::StreamFigures::Dtls::connected)
                        out.string("DTLS fingerprint verified");
                    if (figures.confirmed.get()) out.string("confirmed");
                    if (party->strict_source) out.string("strict source");
                    if (party->media_handover) out.string("media handover");
                    out.string("no kernel support").end();
                    count(out, "stats", in);
                    count(out, "stats_out", sent);
                    out.end();
                }
            }
            out.end();
            out.key("ingress SSRCs").list();
            if (section.side)
                for (const auto& ssrc : section.side->figures().ssrcs_in)
                    if (ssrc.get()) {
                        out.dictionary().pair("SSRC", ssrc.get());
                        for (const auto& one : section.side->figures().measured)
                            if (settings_.quality_inline && one.samples.get() > 0 &&
                                one.ssrc.get() == ssrc.get())
                                quality(out, one);
                        out.end();
                    }
            out.end().key("egress SSRCs").list();
            if (section.side && settings_.quality_inline)
                for (const auto& one : section.side->figures().told)
                    if (one.samples.get() > 0) {
                        out.dictionary().pair("SSRC", one.ssrc.get());
                        quality(out, one);
                        out.end();
                    }
            out.end().end();
        }
        out.end().end();
    }
    out.end();
    out.key("totals").dictionary();
    rtp.write(out, "RTP");
    rtcp.write(out, "RTCP");
    out.end();
}

Relay::Carried Relay::carried() const {
    Sum now;
    Carried all{.webrtc = totals_.webrtc, .quality = totals_.quality};
    for (const auto& [id, call] : calls_) {
        for (const auto* one : call->qualities()) all.quality.add(*one);
        for (const auto& party : call->parties)
            for (const auto& section : party->sections)
                if (section.side) {
                    const auto& figures = section.side->figures();
                    now.add(figures.rtp_in);
                    now.add(figures.rtcp_in);
                    all.webrtc.add(figures);
                    ++all.ice[static_cast<std::size_t>(figures.ice.get())];
                    ++all.dtls[static_cast<std::size_t>(figures.dtls.get())];
                }
    }
    all.packets = totals_.packets + now.packets;
    all.bytes = totals_.bytes + now.bytes;
    all.errors = totals_.errors + now.errors;
    return all;
}

void Relay::report_totals(ng::Writer& out) const {
    const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - started_);
    const Carried sum = carried();
    out.key("currentstatistics").dictionary();
    out.pair("sessionsown", calls_.size()).pair("sessionsforeign", 0);
    out.pair("sessionstotal", calls_.size()).pair("transcodedmedia", transcoded_sections());
    out.end();
    const auto ended = totals_.sessions - calls_.size();
    out.key("totalstatistics").dictionary();
    out.pair("uptime", uptime.count());
    out.pair("managedsessions", totals_.sessions);
    out.pair("rejectedsessions", totals_.rejected);
    out.pair("timeoutsessions", totals_.timed_out);
    out.pair("silenttimeoutsessions", totals_.silent_timed_out);
    out.pair("offertimeoutsessions", totals_.offer_timed_out);
    out.pair("finaltimeoutsessions", totals_.final_timed_out);
    out.pair("regularterminatedsessions", totals_.regular);
    out.pair("relayedpackets", sum.packets);
    out.pair("relayedbytes", sum.bytes);
    out.pair("relayedpacketerrors", sum.errors);
    out.pair("zerowaystreams", totals_.no_media);
    out.pair("onewaystreams", totals_.one_way);
    out.pair("avgcallduration", ended ? static_cast<std::int64_t>(seconds(totals_.call_time) /
                                                                  static_cast<double>(ended))
                                      : 0);
    out.end();
    const auto mean = [](double total, std::uint64_t samples) {
        return fmt::format("{:.6f}", samples ? total / static_cast<double>(samples) : 0.0);
    };
    const QualityTotals& quality = sum.quality;
    out.key("mos").dictionary();
    out.pair("mos_total", fmt::format("{:.6f}", quality.mos));
    out.pair("mos_samples_total", quality.samples);
    out.pair("mos_average", mean(quality.mos, quality.samples)).end();
    out.key("voip_metrics").dictionary();
    out.pair("jitter_total", fmt::format("{:.6f}", quality.jitter_ms));
    out.pair("jitter_samples_total", quality.samples);
    out.pair("jitter_average", mean(quality.jitter_ms, quality.samples));
    out.pair("packetloss_total", fmt::format("{:.6f}", quality.loss_percent));
    out.pair("packetloss_samples_total", quality.samples);
    out.pair("packetloss_average", mean(quality.loss_percent, quality.samples));
    out.pair("rtt_dsct_total", fmt::format("{:.6f}", quality.round_trip_ms));
    out.pair("rtt_dsct_samples_total", quality.round_trips);
    out.pair("rtt_dsct_average", mean(quality.round_trip_ms, quality.round_trips)).end();
    out.key("controlstatistics").dictionary();
    for (const auto& [name, use] : uses_)
        out.key(name)
            .dictionary()
            .pair("count", use.count)
            .pair("errors", use.errors)
            .pair("microseconds",
                  std::chrono::duration_cast<std::chrono::microseconds>(use.time).count())
            .end();
    out.end();
    out.key("interfaces").list();
    for (const auto& local : interfaces_.all())
        out.dictionary()
            .pair("name", local.name)
            .pair("address", local.bind.text())
            .key("ports")
            .dictionary()
            .pair("used", 2 * local.ports.in_use())
            .pair("free", 2 * local.ports.available())
            .end()
            .end();
    out.end();
}

}  // namespace strowger::relay
