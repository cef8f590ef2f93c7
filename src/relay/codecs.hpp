#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "media/recoder.hpp"
#include "wire/sdp/codec.hpp"
#include "wire/sdp/session.hpp"

namespace strowger::relay {

struct CodecRules;
struct Request;

/// One item of the lists of `codec`: `PCMA`, `opus/48000/2`, a payload number, `all`; behind that,
/// for codecs that are encoded here, `/bitrate/ptime/fmtp`.
struct CodecItem {
    explicit CodecItem(std::string_view text);
    bool names(const sdp::Codec& codec, std::string_view token) const;
    /// What it stands for where nobody has described it; nothing when there is no such codec here.
    std::optional<sdp::Codec> codec() const;

    std::string_view text, name, fmtp;
    std::optional<std::uint32_t> clock_rate;
    std::optional<unsigned> channels;
    unsigned bitrate = 0, ptime = 0;  ///< 0: not said
};

/// A format as it is to stand in a description: where its attributes come from.
struct Written {
    std::string token;
    std::string_view from;                         ///< token of the description that came
    std::optional<sdp::Codec> own = std::nullopt;  ///< one of ours, that it does not have
};

/// What was agreed about codecs with one party for one section, as far as the relay has a say in
/// it.
struct SectionCodecs {
    /// What became of a codec that the party offered.
    enum class Fate : std::uint8_t {
        kept,
        masked,    ///< not offered on, but taken
        accepted,  ///< offered on, and taken whatever the other says
        consumed,  ///< both: not offered on, and always taken
    };
    struct Offered {
        sdp::Payload payload;
        Fate fate = Fate::kept;
    };
    /// Of a codec that is encoded here, for whoever takes it.
    struct Setting {
        sdp::Codec codec;
        unsigned bitrate = 0, ptime = 0;
        std::string fmtp;
    };

    bool engaged = false;            ///< codecs may differ between the parties of this section
    bool noise = false;              ///< CN is made for who has none, whatever else is recoded
    bool goes_on = false;            ///< by an earlier offer; this one does not speak of it
    std::vector<Offered> offered;    ///< by the party, without what nobody is to have
    std::vector<sdp::Payload> told;  ///< in the last offer to the party
    std::vector<sdp::Payload> sends, takes;  ///< agreed; empty: nothing is known yet
    std::vector<Setting> settings;
    std::optional<unsigned> packet_ms;  ///< towards the party, whatever it says
    std::optional<unsigned> said_ms;    ///< what it says
};

/// What items of `set` and `transcode` say beyond names.
std::vector<SectionCodecs::Setting> settings_of(std::span<const std::string_view> items);

/// Whether this offer asks for codecs that the parties do not have in common, or packets of another
/// length.
bool wants_recoding(const Request& request);

/// The formats of an offer on its way: what is to be left out is, what the relay can make of the
/// others is added. Both sides of the section learn what may come. Never empty.
std::vector<Written> offered_formats(const sdp::Media& media, const Request& request,
                                     SectionCodecs& offerer, SectionCodecs& answerer);
/// The same of an answer: the offerer gets its own codecs and numbers back.
std::vector<Written> answered_formats(const sdp::Media& media, const Request& request,
                                      SectionCodecs& answerer, SectionCodecs& offerer);

/// How what one party says becomes what another takes; nothing when it goes as it is.
std::optional<media::Recoder::Plan> recoding(const SectionCodecs& from, const SectionCodecs& to,
                                             const media::Pauses& pauses = {},
                                             const media::Recoder::Keys& keys = {});

}  // namespace strowger::relay
