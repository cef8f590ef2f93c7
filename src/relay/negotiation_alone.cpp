// Offers and answers between the relay itself and one party.
#include <fmt/format.h>

#include <algorithm>
#include <bitset>

#include "media/codec/codec.hpp"
#include "relay/negotiation.hpp"

namespace strowger::relay {
namespace {

std::optional<media::RelaySide::Key> key_of(const srtp::Crypto* crypto) {
    if (!crypto) return std::nullopt;
    return media::RelaySide::Key{crypto->policy, crypto->identified_keys()};
}

}  // namespace

Result<> Negotiation::take_offer(Party& party) {
    const auto sdp = sdp::Session::parse(request_.sdp);
    if (!sdp) return fail("Failed to parse SDP: {}", sdp.error().text());
    sdp_ = &*sdp;
    remember(party, party, true);
    remember_webrtc(party, party, true);
    party.transcode.assign(request_.codec.transcode.begin(), request_.codec.transcode.end());
    for (auto& section : party.sections) section.carrier.reset();
    for (std::size_t i = 0; i < sdp->media.size(); ++i) {
        const auto& media = sdp->media[i];
        while (party.sections.size() <= i) party.sections.emplace_back();
        Section& section = party.sections[i];
        section.kind = media.kind;
        section.protocol = media.protocol;
        section.refused = (party.bundle_accept ? media::is_refused(media) : media.is_refused()) ||
                          !media.is_rtp();
        if (section.refused) continue;
        section.webrtc.on = is_dtls(section.protocol);
        if (auto learnt = learn(party, section, media); !learnt) return learnt;
        choose_published(section);
        if (!section.side)
            if (auto opened = open(party, section, section.signalled->ip.is_v6(), std::nullopt);
                !opened)
                return opened;
        section.mux = section.mux_theirs && !request_.mux_reject;
        if (auto agreed = agree_webrtc_alone(party, section, media, true); !agreed) return agreed;
        if (section.secure()) {
            if (!section.sdes.accept_first(request_))
                return fail("m={} {}: the offer has no key of a suite that is known and allowed",
                            section.kind, section.protocol);
            for (auto result :
                 {section.side->set_receiving_key(key_of(section.sdes.answer())),
                  section.side->set_sending_key(key_of(&section.sdes.ours().front()))})
                if (!result) return result;
        }
        section.place.feedback = true;
        aim(party, section);
    }
    return {};
}

// The one codec that is taken of an offer: the first of `accept` that it has, or else the first
// that others can be made of. `any` in that list is whatever comes first in the offer.
void Negotiation::choose_published(Section& section) const {
    auto& payloads = section.payloads;
    const auto chosen = [&](const auto& wanted) {
        const auto found = std::ranges::find_if(payloads, [&](const sdp::Payload& payload) {
            return !sdp::is_auxiliary(payload.codec.name) && wanted(payload);
        });
        if (found == payloads.end()) return false;
        payloads = {*found};
        return true;
    };
    for (const auto text : request_.codec.accept) {
        const CodecItem item(text);
        if (chosen([&](const sdp::Payload& payload) {
                return item.names(payload.codec, fmt::to_string(payload.type));
            }))
            return;
    }
    if (chosen([](const sdp::Payload& payload) { return codec::is_transcodable(payload.codec); }))
        return;
    (void)chosen([](const sdp::Payload&) { return true; });
}

Result<> Negotiation::open_for_offer(Party& party, Section& section) {
    if (request_.direction.size() >= 1 && !request_.direction[0].empty())
        party.interface = request_.direction[0];
    choose_by_route(party, request_.inbound_peer, std::nullopt);
    if (request_.wants_v6) party.v6 = request_.wants_v6;
    if (!section.side)
        if (auto opened = open(party, section, party.v6.value_or(false), std::nullopt); !opened)
            return opened;
    section.mux_offered = request_.mux_offer;
    if (request_.mux_require) section.mux = true;
    auto& webrtc = section.webrtc;
    const bool ice = request_.ice == Request::Ice::force && !request_.reject_ice;
    webrtc.on = is_dtls(section.protocol);
    if (!webrtc.begun()) webrtc.ice = ice;
    webrtc.ice_alone = !webrtc.on && webrtc.ice;
    if (webrtc.on) section.mux_offered = section.mux = true;  // DTLS is spoken at one port only
    if (request_.trickle_ice) webrtc.trickles = true;
    if (request_.no_tls_id) webrtc.names_association = false;
    if (request_.generate_mid && section.mid.empty()) {
        const auto same = [&](const Section& one) { return &one == &section; };
        const auto place = std::ranges::find_if(party.sections, same) - party.sections.begin();
        section.mid = fmt::to_string(place);
    }
    if (webrtc.has_path()) {
        open_further(section);
        webrtc.offer(*section.side, local_of(section));
    }
    if (section.secure()) section.sdes.offer({}, request_);
    return {};
}

// Codecs that the listener is offered besides those of its source, which the relay makes of them:
// as the source was asked for, and as this request asks for.
void Negotiation::add_codecs(const Party& source, const Section& from, Section& section) const {
    section.codecs = {};
    const bool can_be_made =
        from.kind == "audio" && std::ranges::any_of(section.payloads, [](const auto& payload) {
            return codec::is_transcodable(payload.codec);
        });
    std::vector<std::string_view> items(source.transcode.begin(), source.transcode.end());
    items.insert(items.end(), request_.codec.transcode.begin(), request_.codec.transcode.end());
    section.codecs.settings = settings_of(items);
    std::bitset<128> taken;
    for (const auto& payload : section.payloads) taken.set(payload.type);
    for (const auto item : items) {
        const auto codec = CodecItem(item).codec();
        const bool has = codec && std::ranges::any_of(section.payloads, [&](const auto& payload) {
                             return sdp::compatible(payload.codec, *codec);
                         });
        if (!codec || has || !can_be_made || !codec::is_transcodable(*codec)) continue;
        auto type = sdp::static_type(*codec);
        if (type && taken[*type]) type.reset();
        constexpr std::uint8_t first_dynamic = 96, last_dynamic = 127;  // RFC 3551 section 6
        for (std::uint8_t next = first_dynamic; !type && next <= last_dynamic; ++next)
            if (!taken[next]) type = next;
        if (!type) continue;
        taken.set(*type);
        section.payloads.push_back({*type, *codec});
        section.codecs.engaged = true;
    }
    section.codecs.told = section.payloads;
}

Result<> Negotiation::make_offer(Party& listener, const std::vector<Party*>& sources) {
    listener.sources.clear();
    std::size_t at = 0;
    for (Party* source : sources) {
        call_.subscribe(listener, *source, request_.rtcp_mirror);
        for (std::size_t i = 0; i < source->sections.size(); ++i) {
            const Section& from = source->sections[i];
            if (from.refused || from.opaque || from.hidden) continue;
            if (at == sdp::max_media)
                return fail("More than {} sections to listen to", sdp::max_media);
            while (listener.sections.size() <= at) listener.sections.emplace_back();
            Section& section = listener.sections[at++];
            section.source = source;
            section.source_index = i;
            section.refused = true;  // until it has answered
            section.kind = from.kind;
            section.protocol = !request_.protocol.empty() ? std::string(request_.protocol)
                               : from.passthrough         ? from.protocol
                                                          : "RTP/AVP";
            if (from.passthrough)
                return fail(
                    "m={}: the parties' keys are their own; use 'recrypt' when the call is made",
                    from.kind);
            section.payloads = from.payloads;
            section.events = from.events;
            add_codecs(*source, from, section);
            if (auto opened = open_for_offer(listener, section); !opened) return opened;
            section.refused = false;
        }
    }
    while (listener.sections.size() > at) listener.sections.pop_back();
    if (at == 0) return fail("Nothing to listen to");
    return {};
}

Result<> Negotiation::take_answer(Party& party) {
    const auto sdp = sdp::Session::parse(request_.sdp);
    if (!sdp) return fail("Failed to parse SDP: {}", sdp.error().text());
    sdp_ = &*sdp;
    if (request_.rtcp_mirror)
        for (auto& flow : party.sources)
            if (!flow.offer_answer) flow.rtcp_mirror = true;
    for (std::size_t i = 0; i < sdp->media.size() && i < party.sections.size(); ++i) {
        const auto& media = sdp->media[i];
        Section& section = party.sections[i];
        section.refused = media.is_refused();
        if (section.refused || !section.side) continue;
        if (auto learnt = learn(party, section, media); !learnt) return learnt;
        section.mux = section.mux_theirs && (section.mux_offered || section.mux);
        const bool may_differ = request_.allow_transcoding && section.source &&
                                section.kind == "audio" &&
                                std::ranges::any_of(section.payloads, [](const auto& payload) {
                                    return codec::is_transcodable(payload.codec);
                                });
        if (may_differ) {  // it gets what it takes, whatever was offered
            section.codecs.engaged = true;
            section.codecs.told = section.payloads;
        }
        if (section.codecs.engaged) {
            section.codecs.takes.clear();
            for (const auto& payload : section.payloads)
                if (std::ranges::any_of(section.codecs.told, [&](const auto& told) {
                        return sdp::compatible(told.codec, payload.codec);
                    }))
                    section.codecs.takes.push_back(payload);
        }
        if (auto agreed = agree_webrtc_alone(party, section, media, false); !agreed) return agreed;
        if (section.secure()) {
            const auto* chosen = section.sdes.chosen();
            if (!chosen)
                return fail("m={} {}: the answer has no key for any suite that was offered",
                            section.kind, section.protocol);
            for (auto result : {section.side->set_receiving_key(key_of(section.sdes.answer())),
                                section.side->set_sending_key(key_of(chosen))})
                if (!result) return result;
        }
        section.place.feedback = section.knows_feedback();
        aim(party, section);
    }
    return {};
}

}  // namespace strowger::relay
