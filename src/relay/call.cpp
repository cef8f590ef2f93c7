#include "relay/call.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace strowger::relay {
namespace {

// What is silence in a codec, byte for byte; 0 for those where it is not so simple.
std::uint8_t silent_code(const sdp::Codec& codec) {
    if (iequals(codec.name, "PCMU")) return 0xff;
    if (iequals(codec.name, "PCMA")) return 0xd5;
    if (iequals(codec.name, "G722")) return 0xfa;
    return 0;
}

}  // namespace

Party* Call::find(std::string_view tag) {
    for (const auto& party : parties)
        if (party->named(tag)) return party.get();
    return nullptr;
}

Party* Call::find_label(std::string_view label) {
    for (const auto& party : parties)
        if (!label.empty() && party->label == label) return party.get();
    return nullptr;
}

Result<Party*> Call::add(std::string_view tag, WallTime now) {
    if (parties.size() == max_parties)
        return fail("call '{}' has {} parties, and no more are taken", id, max_parties);
    parties.push_back(std::make_unique<Party>());
    parties.back()->tag = tag;
    parties.back()->created = now;
    return parties.back().get();
}

Result<Party*> Call::find_or_add(std::string_view tag, WallTime now) {
    if (Party* known = find(tag)) return known;
    return add(tag, now);
}

void Call::remove(Party& party) {
    for (const auto& other : parties) {
        std::erase_if(other->sources, [&](const auto& s) { return s.source == &party; });
        if (other->dialogue == &party) other->dialogue = nullptr;
        for (auto& section : other->sections) {
            if (section.source != &party) continue;
            section.source = nullptr;
            section.refused = true;
        }
    }
    std::erase_if(parties, [&](const auto& each) { return each.get() == &party; });
}

void Call::join(Party& a, Party& b) {
    for (auto [one, other] : {std::pair(&a, &b), std::pair(&b, &a)}) {
        // Whoever it spoke with before does not hear it any more.
        for (const auto& third : parties)
            if (third.get() != other)
                std::erase_if(third->sources, [one](const Subscription& s) {
                    return s.source == one && s.offer_answer;
                });
        Subscription now{.source = other};
        for (const auto& before : one->sources)
            if (before.source == other) now = before;
        now.offer_answer = true;
        std::erase_if(one->sources,
                      [&](const Subscription& s) { return s.offer_answer || s.source == other; });
        one->sources.push_back(now);
        one->dialogue = other;
    }
}

void Call::subscribe(Party& listener, Party& source, bool rtcp_mirror) {
    for (const auto& existing : listener.sources)
        if (existing.source == &source) return;
    listener.sources.push_back({.source = &source, .rtcp_mirror = rtcp_mirror});
}

// What the party says in RTCP, in this section, goes to the one whose stream it hears there.
void Call::mirror(const Party& listener, std::size_t index,
                  std::vector<media::RelaySide::Sink>& sinks) const {
    const Section& section = listener.sections[index];
    for (const auto& flow : listener.sources) {
        if (!flow.rtcp_mirror || section.refused || flow.source->hears != Party::Hears::others)
            continue;
        if (section.source && section.source != flow.source) continue;
        const std::size_t place = section.source ? section.source_index : index;
        if (place >= flow.source->sections.size()) continue;
        const Section& heard = flow.source->sections[place];
        const bool goes_already = std::ranges::any_of(
            sinks, [&](const auto& sink) { return sink.side == heard.side.get(); });
        if (heard.side && !heard.refused && !goes_already)
            sinks.push_back({.side = heard.side.get(), .rtcp_only = true});
    }
}

// Each path carries its own section and those that ride on it.
void Call::carry(Party& party) {
    std::vector<media::RelaySide::Rider> riders;
    for (std::size_t i = 0; i < party.sections.size(); ++i) {
        Section& first = party.sections[i];
        if (!first.side || !first.webrtc.on || first.carrier) continue;
        riders.clear();
        for (std::size_t j = 0; j < party.sections.size(); ++j) {
            Section& section = party.sections[j];
            if (!section.side || section.refused || (j != i && section.carrier != i)) continue;
            std::bitset<128> types;
            for (const auto& payload : section.payloads)
                if (payload.type < types.size()) types.set(payload.type);
            riders.push_back({section.side.get(), section.mid_extension, section.mid, types});
        }
        if (riders.size() < 2) riders.clear();
        if (riders.empty() && !first.bundle_carrier) continue;
        first.bundle_carrier = !riders.empty();
        first.side->carry(riders);
    }
}

// The first codec that becomes another one, and which.
static std::string transcoding_of(const media::Recoder::Plan& plan) {
    using Kind = media::Recoder::Way::Kind;
    for (const auto& way : plan.ways)
        if (way.kind == Kind::recode || way.kind == Kind::translate)
            return fmt::format("{}/{} -> {}/{}", way.in.codec.name, way.in.codec.clock_rate,
                               plan.out.codec.name, plan.out.codec.clock_rate);
    return {};
}

// How what a section gets is judged: by what it is made into, or else by what it takes first.
static media::ReportWatch::Terms terms_towards(const Section& section,
                                               const std::optional<media::Recoder::Plan>& plan) {
    const auto& taken = section.codecs.takes.empty() ? section.payloads : section.codecs.takes;
    const sdp::Codec* codec = plan            ? &plan->out.codec
                              : taken.empty() ? nullptr
                                              : &taken.front().codec;
    if (!codec) return {};
    return {.clock_rate = codec->clock_rate, .codec = media::impairment_of(codec->name)};
}

std::optional<media::OwnReports::Settings> Call::reporting(const Section& section) const {
    if ((!generate_rtcp && !measure_rtp) || section.opaque) return std::nullopt;
    media::OwnReports::Settings settings{
        .generate = generate_rtcp, .measure = measure_rtp, .interval = rtcp_interval};
    const sdp::Codec* first = nullptr;
    for (const auto& payload : section.payloads) {
        if (payload.type > 127 || sdp::is_auxiliary(payload.codec.name)) continue;
        settings.clock_rates[payload.type] = payload.codec.clock_rate;
        if (!first) first = &payload.codec;
    }
    if (first)
        settings.heard = {.clock_rate = first->clock_rate,
                          .codec = media::impairment_of(first->name),
                          .listening = mos_listening};
    return settings;
}

std::optional<media::RelayStream::Hold> Call::holding(const Party& party,
                                                      const Section& section) const {
    using media::JitterSettings;
    constexpr Duration packet = std::chrono::milliseconds{20};
    const bool fixed = party.delay_buffer > Duration{};
    if ((!fixed && jitter_packets == 0) || section.opaque || section.kind != "audio")
        return std::nullopt;
    media::RelayStream::Hold hold;
    if (fixed)
        hold.settings = {.kind = JitterSettings::Kind::fixed, .max = party.delay_buffer};
    else
        hold.settings = {.kind = JitterSettings::Kind::adaptive,
                         .max = jitter_packets * packet,
                         .target = packet};
    for (const auto& payload : section.payloads)
        if (payload.type < hold.clock_rates.size() && !sdp::is_auxiliary(payload.codec.name))
            hold.clock_rates[payload.type] = payload.codec.clock_rate;
    return hold;
}

std::vector<const media::StreamFigures::Quality*> Call::qualities() const {
    std::vector<const media::StreamFigures::Quality*> told, measured;
    for (const auto& party : parties)
        for (const auto& section : party->sections) {
            if (!section.side) continue;
            for (const auto& one : section.side->figures().told)
                if (one.samples.get() > 0) told.push_back(&one);
            for (const auto& one : section.side->figures().measured)
                if (one.samples.get() > 0) measured.push_back(&one);
        }
    const auto reported = told.size();
    for (const auto* one : measured)
        if (std::none_of(told.begin(), told.begin() + static_cast<std::ptrdiff_t>(reported),
                         [&](const auto* other) { return other->ssrc.get() == one->ssrc.get(); }))
            told.push_back(one);
    return told;
}

media::Recoder::Keys Call::keys_of(const Party& party) const {
    media::Recoder::Keys keys;
    if (party.block_dtmf)
        keys = party.blocked_keys;
    else if (block_dtmf)
        keys = blocked_keys;
    keys.delay = party.key_delay;
    return keys;
}

// What both understand, where nothing else was agreed: the one sends what the other has named.
static void agree_in_common(SectionCodecs& from, SectionCodecs& to, const Section& section,
                            const Section& target) {
    from.engaged = to.engaged = true;
    from.sends.clear();
    for (const auto& payload : target.payloads)
        if (std::ranges::any_of(section.payloads, [&](const auto& own) {
                return sdp::compatible(own.codec, payload.codec);
            }))
            from.sends.push_back(payload);
    to.takes = from.sends;
    to.said_ms = target.ptime;
}

void Call::route() {
    for (const auto& party : parties) carry(*party);
    std::vector<media::RelaySide::Sink> sinks;
    for (const auto& source : parties) {
        for (std::size_t i = 0; i < source->sections.size(); ++i) {
            auto& section = source->sections[i];
            if (!section.side) continue;
            section.keys_bare = false;
            if (source->hears == Party::Hears::itself)
                sinks.push_back(
                    {section.side.get(), std::nullopt, terms_towards(section, std::nullopt)});
            for (const auto& listener : parties) {
                const auto flow =
                    std::ranges::find(listener->sources, source.get(), &Subscription::source);
                if (flow == listener->sources.end() || flow->block_media ||
                    listener->hears != Party::Hears::others)
                    continue;
                for (std::size_t j = 0; j < listener->sections.size(); ++j) {
                    auto& target = listener->sections[j];
                    const bool named = target.source == source.get() && target.source_index == i;
                    if (!named && (target.source || j != i)) continue;
                    if (!target.side || target.refused) continue;
                    const bool dialogue = !target.source && listener->dialogue == source.get();
                    auto from = dialogue ? section.codecs : SectionCodecs{};
                    if (named && target.codecs.engaged) {
                        from.engaged = true;
                        from.sends = section.payloads;
                    }
                    auto to = target.codecs;
                    const auto keys = keys_of(*source);
                    const bool readable =
                        !section.opaque && !section.passthrough && section.kind == "audio";
                    if (keys.any() && readable &&
                        (!from.engaged || !to.engaged || from.sends.empty() || to.takes.empty()))
                        agree_in_common(from, to, section, target);
                    auto plan = recoding(from, to, pauses, keys);
                    if (!plan) section.keys_bare = true;
                    const auto terms = terms_towards(target, plan);
                    sinks.push_back({target.side.get(), std::move(plan), terms, flow->silence});
                }
            }
            mirror(*source, i, sinks);
            section.recoded = false;
            section.transcoding.clear();
            for (const auto& sink : sinks) {
                if (!sink.plan) continue;
                section.recoded = true;
                if (section.transcoding.empty()) section.transcoding = transcoding_of(*sink.plan);
            }
            section.side->feed(std::exchange(sinks, {}));
            section.side->report(reporting(section));
            section.side->hold(holding(*source, section));
        }
    }
}

void Call::gate(Party& party) {
    const bool stops_media = block_media || party.block_media || dropped;
    const bool blocks = block_dtmf || party.block_dtmf;
    const bool drops = keys_of(party).mode == media::Recoder::Keys::Mode::pass;
    // Where nothing can be put in their place they are dropped: under keys not ours, say.
    const auto stops_dtmf_of = [&](const Section& section) {
        return blocks && (drops || section.opaque || section.passthrough || section.keys_bare);
    };
    const bool stops_dtmf = std::ranges::any_of(party.sections, stops_dtmf_of);
    const bool silences = silence || party.silence;
    const bool silences_some = std::ranges::any_of(parties, [&](const auto& listener) {
        const auto flow = std::ranges::find(listener->sources, &party, &Subscription::source);
        return flow != listener->sources.end() && flow->silence;
    });
    for (auto& section : party.sections) {
        if (!section.side) continue;
        if (!stops_media && !stops_dtmf && !silences && !silences_some) {
            section.side->gate(std::nullopt);
            continue;
        }
        media::RelayStream::Gate gate{.media = stops_media,
                                      .silence = silences,
                                      .dtmf = stops_dtmf_of(section),
                                      .events = section.events};
        for (const auto& payload : section.payloads)
            if (payload.type < 128) gate.silent_codes[payload.type] = silent_code(payload.codec);
        section.side->gate(gate);
    }
}

}  // namespace strowger::relay
