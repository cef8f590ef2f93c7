#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "echo/media_line.hpp"
#include "media/webrtc_description.hpp"

namespace strowger::echo {

constexpr std::size_t max_line = 8 << 10;  ///< bytes of a line of SDP; real ones have 300
/// What a channel's message may have, both ways.
constexpr std::size_t max_message = 262144;

/// An offer that was understood: what of it we take, and where the answer's sections stand
/// (JSEP, RFC 9429 section 5.3; BUNDLE, RFC 9143; data channels, RFC 8841).
///
/// Everything goes over one transport: sections outside of the bundle are refused, and without a
/// bundle all but the first. Each taken section has one codec, the first that was offered and can
/// be sent back as it comes, with its telephone-event and comfort noise.
class OfferPlan {
public:
    /// The text is copied. Fails for what has no usable section, which is the client's mistake.
    static Result<OfferPlan> make(std::string_view offer, Random& random);

    const media::WebrtcPeer& peer() const { return peer_; }
    dtls::Setup setup() const { return setup_; }  ///< ours
    const std::vector<MediaLine>& lines() const { return lines_; }
    bool has_channels() const { return channels_; }
    bool has_media() const { return !lines_.empty(); }
    const std::string& cname() const { return cname_; }

    /// The answer. Where we are is the first candidate, in m= and c= too.
    std::string answer(const media::WebrtcLocal& local, Random& random) const;

private:
    /// One section of the answer.
    struct Section {
        std::string kind, protocol, mid;
        std::vector<std::string> formats;  ///< as offered, for a refusal
        std::optional<std::size_t> line;   ///< in `lines_`
        bool channels = false;
        bool old_channels = false;  ///< a=sctpmap
        bool allow_mixed = false;
        bool reduced_rtcp = false;
        std::vector<std::pair<std::uint8_t, std::string>> feedback;
        bool taken() const { return line || channels; }
    };

    void plan_media(const sdp::Media& media, Section& section, Random& random);
    void plan_channels(const sdp::Media& media, Section& section);
    sdp::MediaDescription describe(const Section& section, const media::WebrtcLocal& local,
                                   bool first) const;
    void describe_media(const Section& section, sdp::MediaDescription& out) const;

    media::WebrtcPeer peer_;
    dtls::Setup setup_ = dtls::Setup::passive;
    std::vector<Section> sections_;
    std::vector<MediaLine> lines_;
    bool channels_ = false;
    bool bundled_ = false;
    bool allow_mixed_ = false;
    std::string cname_;
};

}  // namespace strowger::echo
