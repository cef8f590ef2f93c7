#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "media/relay_engine.hpp"
#include "media/webrtc_description.hpp"
#include "relay/request.hpp"

namespace strowger::relay {

/// What ICE and DTLS are between us and one party in one section: what each side has said of
/// itself, and whether the section's stream speaks them already.
///
/// Our credentials stay as long as the party keeps its own, and the certificate as long as it keeps
/// its own: so a new offer changes nothing but what it means to change.
class Webrtc {
public:
    bool on = false;         ///< DTLS ends at us
    bool ice_alone = false;  ///< candidates without DTLS: SRTP with keys in SDP, or plain RTP
    bool ice = false;        ///< we have, or offer, candidates
    bool lite = false;       ///< we answer checks only
    bool controls = false;   ///< we offered first
    bool trickles = false;   ///< is told that there may be more candidates, and that there are none
    bool names_association = true;  ///< `a=tls-id` (RFC 8842)

    /// What the party's description says of its end.
    Result<> read(const sdp::Session& session, const sdp::Media& media);
    bool party_has_ice() const { return theirs_ && !theirs_->credentials.empty(); }

    struct Local {
        std::shared_ptr<const dtls::Identity> identity;
        SocketAddress address;  ///< of our candidate, as the party can reach it
        std::size_t mtu = 1200;
        bool muxed = true;                     ///< without DTLS RTCP may have the next port
        std::vector<SocketAddress> further{};  ///< of candidates at other addresses, best first
    };
    /// What is told to the party: in an offer actpass; in an answer what fits its offer, and fresh
    /// credentials if it has restarted.
    void offer(media::RelaySide& side, const Local& local);
    Result<> answer(media::RelaySide& side, const Local& local, bool passive);
    /// The party has answered an offer of ours.
    Result<> answered(media::RelaySide& side, const Local& local);
    /// Rides on another section's path, or is plain from now on.
    void end(media::RelaySide& side);

    /// Lines to say so, without `a=`.
    std::vector<std::string> lines(const Local& local, dtls::Hash hash) const;
    bool begun() const { return begun_; }
    /// Candidates of ours are in use: no more come.
    bool begun_with_ice() const { return begun_ && begun_with_ice_; }
    bool has_path() const { return on || ice_alone; }
    dtls::Role role() const { return role_; }

    /// Candidates that came later (RFC 8840). With another `ufrag` than that of the party's last
    /// description they are of a generation that is over, or not here yet.
    void trickle(media::RelaySide& side, std::optional<std::string_view> ufrag,
                 const std::vector<ice::Candidate>& more, bool last);

private:
    static std::vector<media::RelayPath::Start::Own> candidates(const Local& local);
    void begin(media::RelaySide& side, const Local& local);
    Result<> apply(media::RelaySide& side, const Local& local, bool fresh_credentials);

    bool same_association() const;

    ice::Credentials local_;
    std::string tls_id_, their_tls_id_, applied_tls_id_;  ///< theirs: empty, if not said
    std::shared_ptr<const dtls::Identity> identity_;
    std::optional<media::WebrtcPeer> theirs_;   ///< of the last description
    std::optional<media::WebrtcPeer> applied_;  ///< that the path has
    dtls::Setup their_setup_ = dtls::Setup::actpass;
    dtls::Setup setup_ = dtls::Setup::actpass;  ///< ours, as told
    dtls::Role role_ = dtls::Role::server;
    bool begun_ = false, begun_with_keys_ = false, begun_with_ice_ = false, begun_muxed_ = true;
};

bool is_dtls(std::string_view protocol);  ///< UDP/TLS/RTP/SAVP and the like

/// The id under which the section's packets carry their MID (RFC 9143 section 15); 0: none.
std::uint8_t mid_extension(const sdp::Media& media);

}  // namespace strowger::relay
