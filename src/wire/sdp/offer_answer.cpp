#include "wire/sdp/offer_answer.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace strowger::sdp {

namespace {

constexpr std::uint8_t first_dynamic = 96, last_dynamic = 127;  // RFC 3551 section 3
constexpr std::uint8_t usual_telephone_event = 101;

bool is_telephone_event(const Codec& codec) { return iequals(codec.name, "telephone-event"); }

const Codec* find_compatible(std::span<const Codec> allowed, const Codec& codec) {
    const auto it =
        std::ranges::find_if(allowed, [&](const Codec& c) { return compatible(c, codec); });
    return it == allowed.end() ? nullptr : &*it;
}

bool has_speech(std::span<const Payload> payloads) {
    return std::ranges::any_of(payloads,
                               [](const Payload& p) { return !is_auxiliary(p.codec.name); });
}

/// telephone-event and CN share the stream's timestamps, so they need a codec of their clock rate.
void drop_stray_auxiliaries(std::vector<Payload>& payloads) {
    const auto speech = payloads;
    std::erase_if(payloads, [&](const Payload& p) {
        return is_auxiliary(p.codec.name) &&
               std::ranges::none_of(speech, [&](const Payload& other) {
                   return !is_auxiliary(other.codec.name) &&
                          other.codec.clock_rate == p.codec.clock_rate;
               });
    });
}

bool can_carry(const Media& section, const LocalAudio& local) {
    return !section.is_refused() && std::ranges::any_of(local.protocols, [&](const std::string& p) {
        return iequals(p, section.protocol);
    });
}

MediaDescription refusal(const Media& offered) {
    MediaDescription section;
    section.kind = offered.kind;
    section.protocol = offered.protocol;
    for (const auto& format : offered.formats) section.formats.emplace_back(format.token);
    // RFC 8866 section 9 wants one format at least.
    if (section.formats.empty()) section.formats.emplace_back("0");
    return section;
}

void describe_rtcp(MediaDescription& section, const LocalAudio& local) {
    if (section.rtcp_mux) return;
    if (local.rtcp_port && *local.rtcp_port != local.port + 1) section.rtcp_port = local.rtcp_port;
}

MediaDescription acceptance(const Media& offered, std::vector<Payload> payloads,
                            const LocalAudio& local) {
    MediaDescription section;
    section.kind = offered.kind;
    section.port = local.port;
    section.protocol = offered.protocol;
    section.payloads = std::move(payloads);
    section.direction = answer_direction(offered.effective_direction(), local.direction);
    section.ptime = local.ptime ? local.ptime : offered.ptime;
    section.rtcp_mux = offered.rtcp_mux && local.rtcp_mux;
    section.mid = offered.mid;
    describe_rtcp(section, local);
    return section;
}

void describe_remote(Agreement& agreement, const Media& theirs) {
    agreement.held = theirs.is_hold();
    agreement.remote = theirs.address();
    agreement.remote_rtcp = theirs.rtcp_address(agreement.rtcp_mux);
    agreement.ptime = theirs.ptime;
}

/// Of an offered section, answered by one of ours.
Agreement agreement_on(const MediaDescription& section, const Media& offered, std::size_t index) {
    Agreement agreement;
    agreement.section = index;
    for (const auto& payload : section.payloads) {
        agreement.payloads.push_back({payload.type, payload.type, payload.codec});
    }
    agreement.direction = section.direction;
    agreement.rtcp_mux = section.rtcp_mux;
    describe_remote(agreement, offered);
    return agreement;
}

/// Of a section that we offered, and what was answered to it.
Agreement agreement_on(const MediaDescription& ours, const Media& theirs, std::size_t index,
                       Direction direction) {
    Agreement agreement;
    agreement.section = index;
    for (const auto& format : theirs.formats) {
        if (!format.type || format.name.empty()) continue;
        const auto codec = format.codec();
        // The answer's number for a codec may differ from ours (RFC 3264 section 6.1): then we
        // send with theirs and receive with ours.
        const auto match = std::ranges::find_if(
            ours.payloads, [&](const Payload& p) { return compatible(p.codec, codec); });
        if (match == ours.payloads.end()) continue;
        agreement.payloads.push_back({*format.type, match->type, codec});
    }
    agreement.direction = direction;
    agreement.rtcp_mux = ours.rtcp_mux && theirs.rtcp_mux;
    describe_remote(agreement, theirs);
    return agreement;
}

/// Feedback that asks for a whole picture (RFC 4585 section 4.2, RFC 5104 section 7.1) is what we
/// pass on; of other kinds of feedback the other end need not know.
void keep_feedback(const Media& offered, MediaDescription& section) {
    for (const std::string_view kind : {"nack pli", "ccm fir"}) {
        const auto asked = offered.attribute_values("rtcp-fb");
        const bool has = std::ranges::any_of(
            asked, [&](std::string_view value) { return split_once(value, ' ').second == kind; });
        if (has) section.attributes.emplace_back("rtcp-fb", "* " + std::string(kind));
    }
}

/// BUNDLE and other groups with only the sections that stay (RFC 9143 section 7.3.2). A group of
/// none is left out.
void keep_groups(const Session& offer, Description& description) {
    for (const auto& group : offer.groups) {
        std::string value(group.semantics);
        bool any = false;
        for (const auto mid : group.mids) {
            const bool stays = std::ranges::any_of(description.media, [&](const auto& section) {
                return section.port != 0 && section.mid == mid;
            });
            if (!stays) continue;
            any = true;
            value += ' ';
            value += mid;
        }
        if (any) description.attributes.emplace_back("group", value);
    }
}

/// Hands out payload type numbers: those of before, static ones, then dynamic ones.
class Numbering {
public:
    explicit Numbering(const Description* before) {
        if (!before) return;
        for (const auto& section : before->media) {
            for (const auto& payload : section.payloads) {
                kept_.push_back(payload);
                taken_[payload.type & 127] = true;
            }
        }
    }

    std::optional<std::uint8_t> number(const Codec& codec) {
        for (const auto& payload : kept_) {
            if (compatible(payload.codec, codec)) return payload.type;
        }
        if (const auto fixed = static_type(codec)) return fixed;
        if (is_telephone_event(codec) && !taken_[usual_telephone_event]) {
            return take(usual_telephone_event);
        }
        for (std::uint8_t type = first_dynamic; type <= last_dynamic; ++type) {
            const bool reserved = type == usual_telephone_event && !is_telephone_event(codec);
            if (!taken_[type] && !reserved) return take(type);
        }
        return std::nullopt;
    }

private:
    std::uint8_t take(std::uint8_t type) {
        taken_[type] = true;
        return type;
    }

    std::vector<Payload> kept_;
    bool taken_[128] = {};
};

}  // namespace

std::vector<Payload> match_codecs(const Media& offer, std::span<const Codec> allowed) {
    std::vector<Payload> matched;
    for (const auto& format : offer.formats) {
        if (!format.type || format.name.empty()) continue;
        Codec codec = format.codec();
        if (!allowed.empty()) {
            const auto* ours = find_compatible(allowed, codec);
            if (!ours) continue;
            if (!ours->fmtp.empty()) codec.fmtp = ours->fmtp;
        }
        const bool repeated =
            std::ranges::any_of(matched, [&](const Payload& p) { return p.type == *format.type; });
        if (!repeated) matched.push_back({*format.type, std::move(codec)});
    }
    drop_stray_auxiliaries(matched);
    return matched;
}

Direction answer_direction(Direction offered, Direction wanted) {
    return direction_of(receives(offered) && sends(wanted), sends(offered) && receives(wanted));
}

const AgreedPayload* Agreement::speech() const {
    for (const auto& payload : payloads) {
        if (!is_auxiliary(payload.codec.name)) return &payload;
    }
    return nullptr;
}

const AgreedPayload* Agreement::telephone_event(std::uint32_t clock_rate) const {
    for (const auto& payload : payloads) {
        if (is_telephone_event(payload.codec) && payload.codec.clock_rate == clock_rate) {
            return &payload;
        }
    }
    return nullptr;
}

const AgreedPayload* Agreement::by_receive_type(std::uint8_t type) const {
    for (const auto& payload : payloads) {
        if (payload.receive_type == type) return &payload;
    }
    return nullptr;
}

Result<Answer> answer(const Session& offer, const LocalAudio& local, Description base) {
    Answer result{std::move(base), std::nullopt};
    result.description.media.clear();
    for (std::size_t i = 0; i < offer.media.size(); ++i) {
        const auto& offered = offer.media[i];
        std::vector<Payload> payloads;
        if (!result.audio && offered.kind == "audio" && can_carry(offered, local))
            payloads = match_codecs(offered, local.codecs);
        if (!has_speech(payloads)) {
            result.description.media.push_back(refusal(offered));
            continue;
        }
        auto section = acceptance(offered, std::move(payloads), local);
        result.audio = agreement_on(section, offered, i);
        result.description.media.push_back(std::move(section));
    }
    if (!result.audio && !offer.media.empty()) {
        return fail_with(488,
                         "SDP offer of {} sections: no audio section with a codec and protocol "
                         "that we allow",
                         offer.media.size());
    }
    keep_groups(offer, result.description);
    return result;
}

Description offer(const LocalAudio& local, Description base, const Description* keep) {
    Description result = std::move(base);
    result.media.clear();
    std::size_t audio_at = 0;
    if (keep) {
        const auto it = std::ranges::find_if(keep->media, [](const auto& section) {
            return section.kind == "audio" && section.port != 0;
        });
        if (it != keep->media.end()) audio_at = static_cast<std::size_t>(it - keep->media.begin());
        result.media = keep->media;
        for (auto& section : result.media) section.port = 0;
    }
    if (result.media.empty()) result.media.emplace_back();

    MediaDescription section;
    section.port = local.port;
    if (keep && audio_at < keep->media.size()) {
        section.protocol = keep->media[audio_at].protocol;
        section.mid = keep->media[audio_at].mid;
    } else if (!local.protocols.empty()) {
        section.protocol = local.protocols.front();
    }
    Numbering numbers(keep);
    for (const auto& codec : local.codecs) {
        if (const auto type = numbers.number(codec)) section.payloads.push_back({*type, codec});
    }
    section.direction = local.direction;
    section.ptime = local.ptime;
    section.rtcp_mux = local.rtcp_mux;
    if (local.rtcp_port && *local.rtcp_port != local.port + 1) section.rtcp_port = local.rtcp_port;
    result.media[audio_at] = std::move(section);
    return result;
}

std::optional<Agreement> accept_section(const Session& offer, std::size_t index,
                                        const LocalAudio& local, Description& answer) {
    if (index >= offer.media.size() || index >= answer.media.size()) return std::nullopt;
    const auto& offered = offer.media[index];
    if (answer.media[index].port != 0 || !can_carry(offered, local)) return std::nullopt;
    auto payloads = match_codecs(offered, local.codecs);
    if (!has_speech(payloads)) return std::nullopt;
    auto section = acceptance(offered, std::move(payloads), local);
    section.ptime.reset();
    keep_feedback(offered, section);
    auto agreement = agreement_on(section, offered, index);
    answer.media[index] = std::move(section);
    return agreement;
}

std::size_t add_section(Description& offer, std::string_view kind, const LocalAudio& local,
                        std::optional<std::size_t> index, const Description* keep) {
    MediaDescription section;
    section.kind = kind;
    section.port = local.port;
    if (!local.protocols.empty()) section.protocol = local.protocols.front();
    if (index && *index < offer.media.size()) {
        section.protocol = offer.media[*index].protocol;
        section.mid = offer.media[*index].mid;
    }
    Numbering numbers(keep);
    for (const auto& codec : local.codecs) {
        if (const auto type = numbers.number(codec)) section.payloads.push_back({*type, codec});
    }
    section.direction = local.direction;
    // RFC 4585 section 4.2 has it in AVPF alone; phones say it, and believe it, in AVP as well.
    if (kind == "video")
        for (const char* feedback : {"* nack pli", "* ccm fir"})
            section.attributes.emplace_back("rtcp-fb", feedback);
    describe_rtcp(section, local);
    if (!index || *index >= offer.media.size()) {
        index = offer.media.size();
        offer.media.emplace_back();
    }
    offer.media[*index] = std::move(section);
    return *index;
}

std::optional<Agreement> section_answered(const Description& offer, std::size_t index,
                                          const Session& answer) {
    if (index >= offer.media.size() || index >= answer.media.size()) return std::nullopt;
    const auto& ours = offer.media[index];
    const auto& theirs = answer.media[index];
    if (ours.port == 0 || theirs.is_refused() || theirs.kind != ours.kind) return std::nullopt;
    auto agreement = agreement_on(ours, theirs, index,
                                  answer_direction(theirs.effective_direction(), ours.direction));
    if (!agreement.speech()) return std::nullopt;
    return agreement;
}

Result<Agreement> accept_answer(const Description& offer, const Session& answer) {
    if (answer.media.size() != offer.media.size()) {
        return fail_with(400, "SDP answer: expected {} media sections as offered, got {}",
                         offer.media.size(), answer.media.size());
    }
    for (std::size_t i = 0; i < offer.media.size(); ++i) {
        const auto& ours = offer.media[i];
        const auto& theirs = answer.media[i];
        if (ours.kind != "audio" || ours.port == 0 || theirs.is_refused()) continue;
        if (theirs.kind != ours.kind) {
            return fail_with(400, "SDP answer: section {} is '{}', offered was 'audio'", i + 1,
                             theirs.kind);
        }
        auto agreement = agreement_on(
            ours, theirs, i, answer_direction(theirs.effective_direction(), ours.direction));
        if (!agreement.speech()) {
            return fail_with(488, "SDP answer: none of its codecs was offered");
        }
        return agreement;
    }
    return fail_with(488, "SDP answer: audio was refused");
}

}  // namespace strowger::sdp
