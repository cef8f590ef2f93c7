#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "media/webrtc_session.hpp"
#include "wire/dtls/setup.hpp"
#include "wire/sdp/description.hpp"
#include "wire/sdp/session.hpp"

namespace strowger::media {

/// The transport of a WebRTC session as SDP has it (RFC 8839, RFC 8842, RFC 8841).

/// Candidates of one section that are looked at: of real peers the largest have some thirty.
constexpr std::size_t max_candidates = 64;

/// The section that carries the transport of a bundle (RFC 9143 section 7.3): the first of the
/// group that is not refused; without a group, the first that is not. Null when all are.
const sdp::Media* transport_section(const sdp::Session& session);

/// Refused is port 0; in a bundle it is only that without `bundle-only` (RFC 9143 section 6).
bool is_refused(const sdp::Media& media);

/// Those of its candidates that can be used, of so many components.
std::vector<ice::Candidate> read_candidates(const sdp::Media& media, std::uint16_t components = 1);

/// What that section, or the session for all, says about the peer's end. Candidates that we cannot
/// use are left out; it fails without credentials or without a fingerprint that we know.
Result<WebrtcPeer> read_peer(const sdp::Session& session, const sdp::Media& media);

/// The same of a peer that may have no ICE; then it is at the section's address.
Result<WebrtcPeer> read_dtls_peer(const sdp::Session& session, const sdp::Media& media);

/// The same of a peer that has ICE and no DTLS, with candidates of RTCP's own component too.
/// Without credentials it has none: nothing.
std::optional<WebrtcPeer> read_ice_peer(const sdp::Session& session, const sdp::Media& media);

/// a=setup; actpass when it is not there.
Result<dtls::Setup> read_setup(const sdp::Session& session, const sdp::Media& media);

/// What our end is.
struct WebrtcLocal {
    ice::Credentials credentials;
    bool lite = false;
    std::vector<ice::Candidate> candidates;
    dtls::Fingerprint fingerprint;
    dtls::Setup setup = dtls::Setup::actpass;
};

using Attributes = std::vector<std::pair<std::string, std::string>>;

/// Into each section of a bundle, as some peers read them there; candidates into the first alone.
void write_transport(const WebrtcLocal& local, bool with_candidates, Attributes& attributes);

}  // namespace strowger::media
