#include "relay/webrtc.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace strowger::relay {
namespace {

// A phone may ring for minutes before anybody answers: the relay's own timeouts end calls, not ICE.
constexpr Duration for_ever = std::chrono::hours{24 * 365};

}  // namespace

bool is_dtls(std::string_view protocol) { return istarts_with(protocol, "UDP/TLS/RTP/"); }

std::uint8_t mid_extension(const sdp::Media& media) {
    for (const auto value : media.attribute_values("extmap")) {
        const auto [id, rest] = split_once(value, ' ');
        if (split_once(rest, ' ').first == "urn:ietf:params:rtp-hdrext:sdes:mid")
            return parse_number<std::uint8_t>(split_once(id, '/').first).value_or(0);
    }
    return 0;
}

Result<> Webrtc::read(const sdp::Session& session, const sdp::Media& media) {
    if (!on) {
        theirs_ = media::read_ice_peer(session, media);
        return {};
    }
    auto peer = media::read_dtls_peer(session, media);
    if (!peer) return std::unexpected(peer.error().within(fmt::format("m={}", media.kind)));
    const auto setup = media::read_setup(session, media);
    if (!setup) return std::unexpected(setup.error());
    theirs_ = std::move(*peer);
    their_setup_ = *setup;
    // Longer ones are no name of an association (RFC 8842 section 4).
    constexpr std::size_t longest = 255;
    their_tls_id_ = session.attribute_for(media, "tls-id").value_or("").substr(0, longest);
    return {};
}

std::vector<media::RelayPath::Start::Own> Webrtc::candidates(const Local& local) {
    std::vector<media::RelayPath::Start::Own> own;
    std::uint16_t preference = 65535;
    const auto add = [&](const SocketAddress& at, std::size_t place) {
        own.push_back({ice::Candidate::host(at, 1, preference), place});
        const SocketAddress rtcp{at.ip, static_cast<std::uint16_t>(at.port + 1)};
        if (!local.muxed) own.push_back({ice::Candidate::host(rtcp, 2, preference), place});
        --preference;
    };
    add(local.address, 0);
    for (std::size_t i = 0; i < local.further.size(); ++i) add(local.further[i], i + 1);
    return own;
}

void Webrtc::begin(media::RelaySide& side, const Local& local) {
    if (local_.empty()) local_ = ice::Credentials::generate();
    if (tls_id_.empty()) tls_id_ = ice::Credentials::generate().pwd;
    identity_ = local.identity;
    media::RelayPath::Start start;
    auto& config = start.config;
    config.ice.role = controls ? ice::Role::controlling : ice::Role::controlled;
    config.ice.lite = lite;
    config.ice.local = local_;
    config.identity = identity_;
    config.dtls.mtu = local.mtu;
    config.outlives_path = true;
    config.repeats = srtp::Sender::Repeats::allowed;
    config.stun_patience = config.connect_patience = for_ever;
    config.keys = on;
    config.ice.components = local.muxed ? 1 : 2;
    if (ice) start.candidates = candidates(local);
    side.begin_path(std::move(start));
    begun_ = true;
    begun_with_keys_ = on;
    begun_with_ice_ = ice;
    begun_muxed_ = local.muxed;
    applied_.reset();
}

void Webrtc::offer(media::RelaySide& side, const Local& local) {
    setup_ = dtls::Setup::actpass;
    if (!begun_ || begun_with_keys_ != on) {
        controls = true;
        begin(side, local);
    }
}

// Another certificate, or another name, is another association (RFC 8842 section 3.1).
bool Webrtc::same_association() const {
    return applied_ && applied_->fingerprints == theirs_->fingerprints &&
           (their_tls_id_.empty() || applied_tls_id_.empty() || their_tls_id_ == applied_tls_id_);
}

Result<> Webrtc::answer(media::RelaySide& side, const Local& local, bool passive) {
    // Who has a role keeps it (RFC 8842 section 5.3).
    const bool same = same_association();
    auto wish = passive ? dtls::Setup::passive : dtls::Setup::active;
    if (same) wish = role_ == dtls::Role::client ? dtls::Setup::active : dtls::Setup::passive;
    const auto setup = dtls::answer_to(their_setup_, wish);
    if (!setup) return fail("SDP: a=setup:holdconn cannot be answered");
    setup_ = *setup;
    role_ = dtls::role_of(setup_);
    return apply(side, local, true);
}

Result<> Webrtc::answered(media::RelaySide& side, const Local& local) {
    if (!same_association())
        role_ = their_setup_ == dtls::Setup::passive ? dtls::Role::client : dtls::Role::server;
    return apply(side, local, false);
}

// What is new in the party's end: nothing, candidates, credentials, or its certificate.
Result<> Webrtc::apply(media::RelaySide& side, const Local& local, bool fresh_credentials) {
    media::WebrtcPeer peer = *theirs_;
    if (!ice) peer.credentials = {};
    if (peer.credentials.empty() && !peer.address)
        return fail("{} without ICE: no address of the connection", on ? "DTLS" : "a path");
    peer.our_role = role_;
    const bool renewed = applied_ && (!same_association() ||
                                      applied_->credentials.empty() != peer.credentials.empty());
    if (renewed && fresh_credentials) {
        local_ = {};
        tls_id_.clear();
    }
    if (!begun_ || renewed || begun_with_keys_ != on) begin(side, local);
    if (local.muxed && !begun_muxed_) side.use_one_component();
    begun_muxed_ = begun_muxed_ || local.muxed;
    if (!applied_) {
        side.set_peer(peer);
    } else if (applied_->credentials != peer.credentials) {
        if (fresh_credentials) local_ = ice::Credentials::generate();
        side.restart(local_, peer);
    } else if (ice) {
        side.add_candidates(peer.candidates, !peer.trickles);
    }
    applied_ = std::move(peer);
    applied_tls_id_ = their_tls_id_;
    return {};
}

void Webrtc::end(media::RelaySide& side) {
    if (begun_) side.end_path();
    begun_ = false;
    applied_.reset();
}

void Webrtc::trickle(media::RelaySide& side, std::optional<std::string_view> ufrag,
                     const std::vector<ice::Candidate>& more, bool last) {
    if (!theirs_ || (ufrag && *ufrag != theirs_->credentials.ufrag)) return;
    if (begun_ && applied_ && applied_->credentials == theirs_->credentials) {
        if (ice) side.add_candidates(more, last);
        return;
    }
    // An offer takes effect with its answer, and so do they.
    const auto room =
        media::max_candidates - std::min(media::max_candidates, theirs_->candidates.size());
    const auto taken = std::min(room, more.size());
    theirs_->candidates.insert(theirs_->candidates.end(), more.begin(),
                               more.begin() + static_cast<std::ptrdiff_t>(taken));
    if (last) theirs_->trickles = false;
}

// In the order of docs/relay.md: DTLS, then ICE.
std::vector<std::string> Webrtc::lines(const Local& local, dtls::Hash hash) const {
    std::vector<std::string> lines;
    const auto& identity = identity_ ? identity_ : local.identity;
    if (on) {
        lines.push_back(fmt::format("setup:{}", dtls::name_of(setup_)));
        lines.push_back(fmt::format("fingerprint:{}", identity->fingerprint(hash).text()));
        if (names_association) lines.push_back(fmt::format("tls-id:{}", tls_id_));
    }
    if (!ice) return lines;
    lines.push_back(fmt::format("ice-ufrag:{}", local_.ufrag));
    lines.push_back(fmt::format("ice-pwd:{}", local_.pwd));
    if (trickles) lines.emplace_back("ice-options:trickle");
    for (const auto& own : candidates(local)) lines.push_back(own.candidate.text());
    if (trickles) lines.emplace_back("end-of-candidates");
    return lines;
}

}  // namespace strowger::relay
