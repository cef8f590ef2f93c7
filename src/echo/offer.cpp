#include "echo/offer.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "echo/answer.hpp"

namespace strowger::echo {

namespace {

constexpr int mid_extension_id = 1;

struct Offered {
    std::string_view kind;
    std::vector<sdp::Payload> payloads;
    std::vector<std::string_view> feedback;  ///< for all of them
};

// What servers of every kind take: some know one codec only, and one that is old.
const Offered audio{"audio",
                    {{111, {"opus", 48000, 2, "minptime=10;useinbandfec=1"}},
                     {0, {"PCMU", 8000, 1}},
                     {8, {"PCMA", 8000, 1}}},
                    {}};
const Offered video{"video",
                    {{96, {"VP8", 90000, 1}},
                     {102,
                      {"H264", 90000, 1,
                       "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"}}},
                    {"nack", "nack pli", "ccm fir"}};

sdp::MediaDescription section(const Offered& offered, const media::WebrtcLocal& local,
                              std::uint32_t ssrc, const std::string& cname, bool first) {
    sdp::MediaDescription out;
    out.kind = offered.kind;
    out.port = 9;
    out.protocol = "UDP/TLS/RTP/SAVPF";
    out.payloads = offered.payloads;
    out.rtcp_mux = true;
    out.mid = first ? "0" : "1";
    media::write_transport(local, first, out.attributes);
    const auto add = [&](std::string_view name, std::string value) {
        out.attributes.emplace_back(name, std::move(value));
    };
    add("rtcp-rsize", "");
    add("extmap", fmt::format("{} {}", mid_extension_id, mid_extension));
    for (const auto& payload : offered.payloads) {
        for (const auto feedback : offered.feedback) {
            add("rtcp-fb", fmt::format("{} {}", payload.type, feedback));
        }
    }
    add("msid", fmt::format("{} {}-{}", cname, cname, offered.kind));
    add("ssrc", fmt::format("{} cname:{}", ssrc, cname));
    add("ssrc", fmt::format("{} msid:{} {}-{}", ssrc, cname, cname, offered.kind));
    return out;
}

sdp::MediaDescription channel_section(const media::WebrtcLocal& local) {
    sdp::MediaDescription out;
    out.kind = "application";
    out.port = 9;
    out.protocol = "UDP/DTLS/SCTP";
    out.formats = {"webrtc-datachannel"};
    out.mid = "0";
    media::write_transport(local, true, out.attributes);
    out.attributes.emplace_back("sctp-port", "5000");
    out.attributes.emplace_back("max-message-size", fmt::format("{}", max_message));
    return out;
}

}  // namespace

std::string write_offer(OfferKind kind, const media::WebrtcLocal& local, const OfferedMedia& media,
                        Random& random) {
    sdp::Description description;
    description.session_id = random.next() >> 2;  // some read it as a signed number of 64 bits
    description.session_version = 1;
    description.address = IpAddress::v4({127, 0, 0, 1});  // RFC 8828: says nothing, as browsers do
    description.attributes = {
        {"group", kind == OfferKind::audio_and_video ? "BUNDLE 0 1" : "BUNDLE 0"},
        {"msid-semantic", "WMS *"}};
    if (kind == OfferKind::channel) {
        description.media = {channel_section(local)};
    } else {
        description.media = {section(audio, local, media.audio_ssrc, media.cname, true)};
    }
    if (kind == OfferKind::audio_and_video) {
        description.media.push_back(section(video, local, media.video_ssrc, media.cname, false));
    }
    // Section 9 of RFC 9429: an address and port that nobody uses, as candidates say where we are.
    for (auto& section : description.media) section.address = IpAddress();
    return description.text();
}

Result<AnswerReading> read_answer(std::string_view answer, OfferKind kind) {
    const auto session = sdp::Session::parse(answer);
    if (!session) return std::unexpected(session.error());
    const auto* transport = media::transport_section(*session);
    if (!transport) return fail("SDP: the answer takes nothing of what was offered");
    AnswerReading reading;
    auto peer = media::read_peer(*session, *transport);
    if (!peer) return std::unexpected(peer.error());
    reading.peer = std::move(*peer);
    const auto setup = media::read_setup(*session, *transport);
    if (!setup) return std::unexpected(setup.error());
    // RFC 5763 section 5: an answer of actpass is a mistake, and to begin is safe then.
    reading.peer.our_role = *setup == dtls::Setup::active ? dtls::Role::server : dtls::Role::client;
    const auto& first = session->media.front();
    if (kind == OfferKind::channel) {
        const auto port = first.attribute("sctp-port");
        if (port) reading.peer.sctp_port = parse_number<std::uint16_t>(trim(*port)).value_or(5000);
        if (const auto size = first.attribute("max-message-size")) {
            reading.peer.max_message = parse_number<std::size_t>(trim(*size)).value_or(65536);
        }
        return reading;
    }
    if (media::is_refused(first)) return reading;
    reading.mid = first.mid;
    reading.mid_id = extension_id(first, mid_extension).value_or(0);
    for (const auto& format : first.formats) {
        if (!format.type || format.name.empty() || sdp::is_auxiliary(format.name)) continue;
        reading.payload = {*format.type, format.codec()};
        break;
    }
    return reading;
}

}  // namespace strowger::echo
