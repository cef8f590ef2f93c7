#include "media/webrtc_description.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace strowger::media {

std::vector<ice::Candidate> read_candidates(const sdp::Media& media, std::uint16_t components) {
    std::vector<ice::Candidate> found;
    std::size_t looked_at = 0;
    for (const auto& attribute : media.attributes) {
        if (attribute.name != "candidate") continue;
        if (++looked_at > max_candidates) break;
        auto candidate = ice::Candidate::parse(attribute.value);
        if (!candidate || candidate->component > components || !candidate->resolved() ||
            candidate->transport != ice::Candidate::Transport::udp) {
            continue;
        }
        found.push_back(std::move(*candidate));
    }
    return found;
}

namespace {

/// Those of the section count, if there are any (RFC 8122 section 5).
Result<std::vector<dtls::Fingerprint>> read_fingerprints(const sdp::Session& session,
                                                         const sdp::Media& media) {
    const auto read = [](const std::vector<sdp::Attribute>& attributes) {
        std::vector<dtls::Fingerprint> found;
        for (const auto& attribute : attributes) {
            if (attribute.name != "fingerprint" || found.size() == dtls::max_fingerprints) continue;
            if (auto one = dtls::Fingerprint::parse(attribute.value)) found.push_back(*one);
        }
        return found;
    };
    auto found = read(media.attributes);
    if (found.empty()) found = read(session.attributes);
    if (found.empty()) return fail("SDP: expected a=fingerprint with a hash of the SHA family");
    return found;
}

}  // namespace

bool is_refused(const sdp::Media& media) {
    return media.is_refused() && !media.attribute("bundle-only");
}

const sdp::Media* transport_section(const sdp::Session& session) {
    if (const auto* group = session.bundle()) {
        for (const auto mid : group->mids) {
            for (const auto& media : session.media) {
                if (media.mid == mid && !is_refused(media)) return &media;
            }
        }
        return nullptr;
    }
    for (const auto& media : session.media) {
        if (!is_refused(media)) return &media;
    }
    return nullptr;
}

Result<WebrtcPeer> read_peer(const sdp::Session& session, const sdp::Media& media) {
    WebrtcPeer peer;
    const auto ufrag = session.attribute_for(media, "ice-ufrag");
    const auto pwd = session.attribute_for(media, "ice-pwd");
    if (!ufrag || !pwd) return fail("SDP: expected a=ice-ufrag and a=ice-pwd");
    auto credentials = ice::Credentials::check(*ufrag, *pwd);
    if (!credentials) return std::unexpected(credentials.error());
    peer.credentials = std::move(*credentials);
    peer.lite = session.attribute("ice-lite").has_value();
    peer.candidates = read_candidates(media);
    auto fingerprints = read_fingerprints(session, media);
    if (!fingerprints) return std::unexpected(fingerprints.error());
    peer.fingerprints = std::move(*fingerprints);
    return peer;
}

Result<WebrtcPeer> read_dtls_peer(const sdp::Session& session, const sdp::Media& media) {
    if (session.attribute_for(media, "ice-ufrag")) {
        auto peer = read_peer(session, media);
        const auto options = session.attribute_for(media, "ice-options");
        if (peer)
            peer->trickles = options && options->find("trickle") != std::string_view::npos &&
                             !media.attribute("end-of-candidates");
        return peer;
    }
    WebrtcPeer peer;
    peer.address = media.address();
    auto fingerprints = read_fingerprints(session, media);
    if (!fingerprints) return std::unexpected(fingerprints.error());
    peer.fingerprints = std::move(*fingerprints);
    return peer;
}

std::optional<WebrtcPeer> read_ice_peer(const sdp::Session& session, const sdp::Media& media) {
    const auto ufrag = session.attribute_for(media, "ice-ufrag");
    const auto pwd = session.attribute_for(media, "ice-pwd");
    if (!ufrag || !pwd) return std::nullopt;
    auto credentials = ice::Credentials::check(*ufrag, *pwd);
    if (!credentials) return std::nullopt;
    WebrtcPeer peer;
    peer.credentials = std::move(*credentials);
    peer.lite = session.attribute("ice-lite").has_value();
    peer.candidates = read_candidates(media, ice::Agent::max_components);
    const auto options = session.attribute_for(media, "ice-options");
    peer.trickles = options && options->find("trickle") != std::string_view::npos &&
                    !media.attribute("end-of-candidates");
    return peer;
}

Result<dtls::Setup> read_setup(const sdp::Session& session, const sdp::Media& media) {
    const auto value = session.attribute_for(media, "setup");
    if (!value) return dtls::Setup::actpass;
    const auto setup = dtls::setup_named(trim(*value));
    if (!setup) return fail("SDP: a=setup:{} is none of actpass, active and passive", *value);
    return *setup;
}

void write_transport(const WebrtcLocal& local, bool with_candidates, Attributes& attributes) {
    attributes.emplace_back("ice-ufrag", local.credentials.ufrag);
    attributes.emplace_back("ice-pwd", local.credentials.pwd);
    attributes.emplace_back("fingerprint", local.fingerprint.text());
    attributes.emplace_back("setup", dtls::name_of(local.setup));
    if (!with_candidates) return;
    for (const auto& candidate : local.candidates) {
        attributes.emplace_back("candidate", candidate.text().substr(sizeof("candidate:") - 1));
    }
    attributes.emplace_back("end-of-candidates", "");
}

}  // namespace strowger::media
