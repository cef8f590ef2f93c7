#include "echo/answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace strowger::echo {

namespace {

/// Repairs and wrappings of other payloads: sent back alone they would mean nothing.
constexpr std::array<std::string_view, 7> not_reflected{
    "red", "rtx", "ulpfec", "flexfec", "flexfec-03", "parityfec", "raptorfec"};

bool is_reflected(const sdp::Format& format) {
    if (!format.type || format.name.empty() || format.clock_rate == 0) return false;
    return std::ranges::none_of(not_reflected,
                                [&](auto name) { return iequals(name, format.name); });
}

/// The first codec that can be sent back, and what rides along at its clock rate.
std::vector<sdp::Payload> choose_payloads(const sdp::Media& media) {
    std::vector<sdp::Payload> chosen;
    for (const auto& format : media.formats) {
        if (!is_reflected(format) || sdp::is_auxiliary(format.name)) continue;
        chosen.push_back({*format.type, format.codec()});
        break;
    }
    if (chosen.empty()) return chosen;
    for (const auto& format : media.formats) {
        if (is_reflected(format) && sdp::is_auxiliary(format.name) &&
            format.clock_rate == chosen.front().codec.clock_rate) {
            chosen.push_back({*format.type, format.codec()});
        }
    }
    return chosen;
}

bool is_channels(const sdp::Media& media) {
    return media.kind == "application" && media.protocol.find("SCTP") != std::string_view::npos;
}

sdp::Direction echoed(sdp::Direction offered) {
    return sdp::direction_of(offered == sdp::Direction::sendrecv, sdp::sends(offered));
}

/// Feedback that we answer.
constexpr std::array<std::string_view, 4> answered_feedback{"nack", "nack pli", "ccm fir",
                                                            "transport-cc"};

}  // namespace

Result<OfferPlan> OfferPlan::make(std::string_view offer, Random& random) {
    const auto session = sdp::Session::parse(offer);
    if (!session) return std::unexpected(session.error());
    for (const auto& line : session->lines()) {
        if (line.value.size() > max_line)
            return fail("SDP: a line has {} bytes", line.value.size());
    }
    const auto* transport = media::transport_section(*session);
    if (!transport) return fail("SDP: expected a media section that is not refused");
    OfferPlan plan;
    auto peer = media::read_peer(*session, *transport);
    if (!peer) return std::unexpected(peer.error());
    plan.peer_ = std::move(*peer);
    const auto setup = media::read_setup(*session, *transport);
    if (!setup) return std::unexpected(setup.error());
    // Passive: the peer begins when it is ready, where our ClientHello could come before it has
    // this answer and then be lost.
    const auto ours = dtls::answer_to(*setup, dtls::Setup::passive);
    if (!ours) return fail("SDP: a=setup:{} leaves nobody to begin", dtls::name_of(*setup));
    plan.setup_ = *ours;
    plan.peer_.our_role = dtls::role_of(*ours);
    plan.cname_ = random.token(16);
    plan.allow_mixed_ = session->attribute("extmap-allow-mixed").has_value();

    const auto* bundle = session->bundle();
    plan.bundled_ = bundle != nullptr;
    for (const auto& media : session->media) {
        Section& section = plan.sections_.emplace_back();
        section.kind = media.kind;
        section.protocol = media.protocol;
        section.mid = media.mid;
        for (const auto& format : media.formats) section.formats.emplace_back(format.token);
        const bool here = bundle ? std::ranges::find(bundle->mids, media.mid) != bundle->mids.end()
                                 : &media == transport;
        if (!here || media::is_refused(media)) continue;
        if (is_channels(media)) {
            plan.plan_channels(media, section);
        } else if (media.is_rtp() && media.protocol.find("TLS") != std::string_view::npos) {
            plan.plan_media(media, section, random);
        } else if (iequals(media.protocol, "RTP/SAVPF") || iequals(media.protocol, "RTP/SAVP")) {
            plan.plan_media(media, section, random);
        }
    }
    if (std::ranges::none_of(plan.sections_, &Section::taken)) {
        return fail("SDP: no section has anything that can be sent back");
    }
    return plan;
}

void OfferPlan::plan_media(const sdp::Media& media, Section& section, Random& random) {
    if (!media.rtcp_mux && !media.attribute("rtcp-mux-only")) return;
    if (media.kind != "audio" && media.kind != "video") return;
    auto payloads = choose_payloads(media);
    if (payloads.empty()) return;
    MediaLine line;
    line.mid = media.mid;
    line.kind = media.kind;
    line.payloads = std::move(payloads);
    line.ssrc = random.next32();
    line.sources = announced_sources(media);
    line.mid_id = extension_id(media, mid_extension).value_or(0);
    const auto type = line.payloads.front().type;
    line.transport_cc_id = has_feedback(media, type, "transport-cc")
                               ? extension_id(media, transport_cc_extension).value_or(0)
                               : 0;
    line.nack = has_feedback(media, type, "nack");
    line.sends = sdp::sends(echoed(media.direction));
    line.receives = sdp::receives(echoed(media.direction));
    for (const auto feedback : answered_feedback) {
        if (feedback == "transport-cc" && !line.transport_cc_id) continue;
        if (has_feedback(media, type, feedback)) section.feedback.emplace_back(type, feedback);
    }
    section.allow_mixed = media.attribute("extmap-allow-mixed").has_value();
    section.reduced_rtcp = line.reduced_rtcp = media.attribute("rtcp-rsize").has_value();
    section.line = lines_.size();
    lines_.push_back(std::move(line));
}

void OfferPlan::plan_channels(const sdp::Media& media, Section& section) {
    if (channels_ || media.formats.empty()) return;
    section.old_channels = media.formats.front().token != "webrtc-datachannel";
    const auto port_text = section.old_channels ? media.formats.front().token
                                                : media.attribute("sctp-port").value_or("5000");
    const auto port = parse_number<std::uint16_t>(trim(port_text));
    if (!port || *port == 0) return;
    peer_.sctp_port = *port;
    if (const auto size = media.attribute("max-message-size")) {
        peer_.max_message = parse_number<std::size_t>(trim(*size)).value_or(peer_.max_message);
    }
    section.channels = channels_ = true;
}

std::string OfferPlan::answer(const media::WebrtcLocal& local, Random& random) const {
    sdp::Description description;
    description.session_id = random.next() >> 2;  // some read it as a signed number of 64 bits
    description.session_version = 1;
    description.address =
        local.candidates.empty() ? IpAddress() : local.candidates.front().address.ip;
    if (local.lite) description.attributes.emplace_back("ice-lite", "");
    std::string group = "BUNDLE";
    for (const auto& section : sections_) {
        if (section.taken() && !section.mid.empty()) group += " " + section.mid;
    }
    if (bundled_) description.attributes.emplace_back("group", group);
    if (allow_mixed_) description.attributes.emplace_back("extmap-allow-mixed", "");
    description.attributes.emplace_back("msid-semantic", "WMS *");
    bool first = true;
    for (const auto& section : sections_) {
        description.media.push_back(describe(section, local, first));
        if (section.taken()) first = false;
    }
    return description.text();
}

sdp::MediaDescription OfferPlan::describe(const Section& section, const media::WebrtcLocal& local,
                                          bool first) const {
    sdp::MediaDescription out;
    out.kind = section.kind;
    out.protocol = section.protocol;
    out.mid = section.mid;
    out.formats = section.formats;
    if (!section.taken()) return out;
    // The discard port of RFC 8840 section 4.1.1 when nobody knows better.
    out.port = local.candidates.empty() ? 9 : local.candidates.front().address.port;
    media::write_transport(local, first, out.attributes);
    if (section.line) describe_media(section, out);
    if (!section.channels) return out;
    if (section.old_channels) {
        out.attributes.emplace_back(
            "sctpmap", fmt::format("{} webrtc-datachannel 1024", section.formats.front()));
    } else {
        out.formats = {"webrtc-datachannel"};
        out.attributes.emplace_back("sctp-port", "5000");
    }
    out.attributes.emplace_back("max-message-size", fmt::format("{}", max_message));
    return out;
}

void OfferPlan::describe_media(const Section& section, sdp::MediaDescription& out) const {
    const MediaLine& line = lines_[*section.line];
    out.formats.clear();
    out.payloads = line.payloads;
    out.rtcp_mux = true;
    out.direction = sdp::direction_of(line.sends, line.receives);
    const auto add = [&](std::string_view name, std::string value) {
        out.attributes.emplace_back(name, std::move(value));
    };
    if (section.reduced_rtcp) add("rtcp-rsize", "");
    if (section.allow_mixed) add("extmap-allow-mixed", "");
    if (line.mid_id) add("extmap", fmt::format("{} {}", line.mid_id, mid_extension));
    if (line.transport_cc_id) {
        add("extmap", fmt::format("{} {}", line.transport_cc_id, transport_cc_extension));
    }
    for (const auto& [type, feedback] : section.feedback) {
        add("rtcp-fb", fmt::format("{} {}", type, feedback));
    }
    if (!line.sends) return;
    const auto stream = fmt::format("{} {}-{}", cname_, cname_, *section.line);
    add("msid", stream);
    add("ssrc", fmt::format("{} cname:{}", line.ssrc, cname_));
    add("ssrc", fmt::format("{} msid:{}", line.ssrc, stream));
}

}  // namespace strowger::echo
