// Commands by which the relay itself is heard: files and keys.
#include <algorithm>

#include "base/text.hpp"
#include "media/audio_file.hpp"
#include "relay/relay.hpp"
#include "wire/rtp/telephone_event.hpp"

namespace strowger::relay {
namespace {

constexpr long max_repeats = 1000;  // music for hours; beyond, it is asked for again

// A payload that the party and the one it talks with have in common.
const sdp::Payload* common(const Party& party, std::size_t index, auto wanted) {
    const auto& codecs = party.sections[index].codecs;
    if (codecs.engaged && !codecs.takes.empty()) {  // the relay decides what it gets
        const auto found = std::ranges::find_if(
            codecs.takes, [&](const auto& payload) { return wanted(payload.codec); });
        return found == codecs.takes.end() ? nullptr : &*found;
    }
    const auto& mine = party.sections[index].payloads;
    const auto* others = party.dialogue && index < party.dialogue->sections.size()
                             ? &party.dialogue->sections[index].payloads
                             : nullptr;
    const auto agreed = [&](const sdp::Payload& payload) {
        return !others || others->empty() || std::ranges::any_of(*others, [&](const auto& other) {
            return sdp::compatible(other.codec, payload.codec);
        });
    };
    for (const auto& payload : mine)
        if (wanted(payload.codec) && agreed(payload)) return &payload;
    return nullptr;
}

std::optional<media::StreamSpeaker::Voice> voice_for(const Party& party, std::size_t index) {
    const auto* payload = common(party, index, [](const sdp::Codec& codec) {
        return codec.clock_rate == 8000 &&
               (iequals(codec.name, "PCMU") || iequals(codec.name, "PCMA"));
    });
    if (!payload) return std::nullopt;
    const bool mu = iequals(payload->codec.name, "PCMU");
    return media::StreamSpeaker::Voice{mu ? media::g711::Law::mu : media::g711::Law::a,
                                       payload->type};
}

bool can_hear(const Section& section) {
    return section.side && !section.refused && !section.opaque && !section.passthrough &&
           section.kind == "audio";
}

}  // namespace

Result<std::vector<Party*>> Relay::listeners(Call& call, const Request& request) {
    std::vector<Party*> parties;
    if (request.all ||
        (request.from_tag.empty() && request.label.empty() && request.address.empty())) {
        for (const auto& party : call.parties) parties.push_back(party.get());
        return parties;
    }
    auto party = selected(call, request);
    if (!party) return std::unexpected(party.error());
    parties.push_back(*party);
    return parties;
}

Result<> Relay::play_media(const Request& request, ng::Writer& out) {
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    if (request.file.empty())
        return fail("No media file specified; 'file' is a path, and blobs are not taken");
    const std::string path(request.file);
    const auto file = media::AudioFile::open(path);
    if (!file) return fail("Cannot play: {}", file.error().text());
    const auto parties = listeners(**call, request);
    if (!parties) return std::unexpected(parties.error());
    const auto start =
        std::chrono::milliseconds(std::clamp(request.start_position, 0L, 86'400'000L));
    const auto repeats =
        static_cast<std::size_t>(std::clamp(request.repeat_times, 1L, max_repeats));
    bool any = false;
    for (Party* party : *parties)
        for (std::size_t i = 0; i < party->sections.size(); ++i) {
            auto& section = party->sections[i];
            const auto voice = can_hear(section) ? voice_for(*party, i) : std::nullopt;
            if (!voice) continue;
            media::Player::Sounds from;
            from.sample = static_cast<std::size_t>(start.count()) * 8;
            section.side->play(std::move(from), std::vector<std::string>(repeats, path), *voice);
            any = true;
        }
    if (!any) return fail("No party has G.711 audio that can be played to");
    out.pair("duration",
             std::chrono::duration_cast<std::chrono::milliseconds>(file->length()).count());
    return {};
}

// With an offer in which it no longer hears the other, the party holds; with one in which it does
// again, the other hears it again.
void Relay::music_on_hold(Party& holder, Party& held) {
    const bool holds =
        !holder.hold_file.empty() && std::ranges::any_of(holder.sections, [](const auto& section) {
            return section.kind == "audio" && !section.refused && !sdp::receives(section.direction);
        });
    if (holds == holder.holds) return;
    holder.holds = holds;
    if (!holds) {
        for (auto& section : held.sections)
            if (section.side && section.kind == "audio") section.side->stop_playing();
        return;
    }
    const auto file = media::AudioFile::open(holder.hold_file);
    if (!file || file->length() <= Duration{}) {
        LOG_WARNING((log::About{"relay"}), "no music on hold: {}",
                    file ? "the file is empty" : file.error().text());
        return;
    }
    const auto fitting = settings_.hold_duration / file->length() + 1;
    const auto times = std::min<std::int64_t>(settings_.hold_repeats, fitting);
    for (std::size_t i = 0; i < held.sections.size(); ++i) {
        auto& section = held.sections[i];
        const auto voice = can_hear(section) ? voice_for(held, i) : std::nullopt;
        if (!voice) continue;
        section.side->play(
            {}, std::vector<std::string>(static_cast<std::size_t>(times), holder.hold_file),
            *voice);
    }
}

Result<> Relay::stop_media(const Request& request, ng::Writer& out) {
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    const auto parties = listeners(**call, request);
    if (!parties) return std::unexpected(parties.error());
    std::uint64_t position = 0;
    for (Party* party : *parties)
        for (auto& section : party->sections) {
            if (!section.side) continue;
            section.side->stop_playing();
            position = std::max(position, section.side->figures().played.get() / 8);
        }
    out.pair("last-frame-pos", position);
    return {};
}

Result<> Relay::play_dtmf(const Request& request, ng::Writer&) {
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    const auto party = selected(**call, request);
    if (!party) return std::unexpected(party.error());
    if (!*party) return fail("No participant party specified");
    const auto event = key_named(request.code);
    if (!event) return fail("Out of range 'code' specified");
    const std::string digit(1, rtp::digit_of(*event));
    media::StreamSpeaker::Keys pressed{
        .digits = digit,
        .duration = std::chrono::milliseconds(
            request.duration ? std::clamp(request.duration, 100L, 5000L) : 250),
        .pause =
            std::chrono::milliseconds(request.pause ? std::clamp(request.pause, 100L, 5000L) : 100),
        .volume = static_cast<std::uint8_t>(
            request.volume ? std::clamp(std::abs(request.volume), 0L, 63L) : 8)};
    // The party is the one who presses: those who hear it hear the key.
    bool any = false;
    for (const auto& listener : (*call)->parties) {
        const bool hears = std::ranges::any_of(
            listener->sources, [&](const auto& source) { return source.source == *party; });
        if (!hears) continue;
        for (std::size_t i = 0; i < listener->sections.size(); ++i) {
            auto& section = listener->sections[i];
            if (!can_hear(section)) continue;
            const auto* known = common(*listener, i, [](const sdp::Codec& codec) {
                return iequals(codec.name, "telephone-event") && codec.clock_rate == 8000;
            });
            const auto voice = voice_for(*listener, i);
            if (known) {
                pressed.payload_type = known->type;
                section.side->press(pressed);
            } else if (voice) {
                auto tone = media::DtmfGenerator::make(digit, pressed.duration, pressed.pause);
                if (!tone) return std::unexpected(tone.error());
                section.side->play(std::make_unique<media::Player>(std::move(*tone)), *voice);
            } else {
                continue;
            }
            any = true;
        }
    }
    if (!any) return fail("Monologue has no media capable of DTMF injection");
    return {};
}

}  // namespace strowger::relay
