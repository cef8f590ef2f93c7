// ICE, DTLS and bundles in offers and answers.
#include <fmt/format.h>

#include <algorithm>
#include <bitset>

#include "base/log.hpp"
#include "base/text.hpp"
#include "relay/negotiation.hpp"

namespace strowger::relay {

void Negotiation::remember_webrtc(Party& from, Party& to, bool is_offer) {
    from.bundle.clear();
    if (const auto* group = sdp_->bundle())
        for (const auto mid : group->mids) from.bundle.emplace_back(mid);
    if (is_offer) {
        if (request_.bundle_accept) from.bundle_accept = true;
        if (request_.bundle_reject) from.bundle_accept = false;
        to.bundle_offered = to.bundle_offered || request_.bundle_offer;
    } else {
        if (request_.bundle_accept) to.bundle_accept = true;
        if (request_.bundle_reject) to.bundle_accept = false;
    }
    // Which sections ride is found out anew, in their order.
    if (!is_offer)
        for (Party* party : {&from, &to})
            for (auto& section : party->sections) section.carrier.reset();
}

// Two phones that agree on DTLS by themselves may do so, where there is nothing to convert and no
// ICE whose paths would have to be found for each.
bool Negotiation::goes_through(const Section& theirs, const Section& ours,
                               const sdp::Media& media) const {
    if (!is_dtls(theirs.protocol) || !is_dtls(ours.protocol)) return false;
    if (theirs.webrtc.begun() || ours.webrtc.begun() || request_.recrypt) return false;
    if (theirs.codecs.engaged) return false;
    if (request_.ice == Request::Ice::force || request_.dtls_passive) return false;
    return !sdp_->attribute_for(media, "ice-ufrag");
}

Webrtc::Local Negotiation::local_of(const Section& section) const {
    const IpAddress address = request_.media_address.value_or(section.local->advertised);
    Webrtc::Local local{house_.identity,
                        {address, section.side->port()},
                        house_.settings.dtls_mtu,
                        section.webrtc.on || section.mux};
    for (const auto& further : section.further)
        local.further.push_back({further.local->advertised, further.side->port()});
    return local;
}

// Before candidates are told for the first time. Without a port at one of the addresses the others
// have to do; and where the request says which address there is, there is no other.
void Negotiation::open_further(Section& section) {
    if (!section.webrtc.ice) return close_further(section);
    if (section.webrtc.begun_with_ice() || !section.further.empty()) return;
    if (house_.settings.save_interface_ports || request_.media_address) return;
    std::vector<media::RelaySide*> sides;
    for (LocalInterface* local : house_.interfaces.further(*section.local)) {
        auto side = house_.engine.open(call_.home, local->ports, local->bind,
                                       request_.tos.value_or(house_.settings.tos));
        if (!side) {
            LOG_WARNING((log::About{"relay"}), "interface {}, {}: no candidate there: {}",
                        local->name, local->bind.text(), side.error().text());
            continue;
        }
        sides.push_back(side->get());
        section.further.push_back({local, std::move(*side)});
    }
    section.side->borrow(std::move(sides));
}

// On another section's path, whose candidates do for it.
void Negotiation::ride(Section& section) {
    section.webrtc.end(*section.side);
    close_further(section);
}

void Negotiation::close_further(Section& section) {
    if (section.further.empty()) return;
    section.side->borrow({});
    section.further.clear();
}

Result<> Negotiation::agree_webrtc(Party& from, Party& to, Section& theirs, Section& ours,
                                   const sdp::Media& media, bool is_offer) {
    const auto ice = request_.ice.value_or(Request::Ice::as_it_came);
    if (is_offer) choose_ice_alone(theirs, ours, media);
    for (Section* section : {&theirs, &ours})
        if (!section->webrtc.has_path()) section->webrtc.end(*section->side);
    if (theirs.webrtc.has_path()) {
        if (auto read = theirs.webrtc.read(*sdp_, media); !read) return read;
        if (is_offer)
            theirs.webrtc.ice = theirs.webrtc.party_has_ice() && !request_.reject_ice;
        else
            theirs.webrtc.ice = theirs.webrtc.ice && theirs.webrtc.party_has_ice();
        if (is_offer && request_.ice_lite) theirs.webrtc.lite = request_.ice_lite->second;
        const auto options = sdp_->attribute_for(media, "ice-options").value_or("");
        theirs.webrtc.trickles = options.find("trickle") != std::string_view::npos;
    }
    if (request_.no_tls_id) ours.webrtc.names_association = false;
    if (request_.trickle_ice) ours.webrtc.trickles = true;
    if (is_offer) {
        if (!ours.webrtc.has_path()) return {};
        if (!ours.webrtc.begun()) {
            const bool wanted = ice == Request::Ice::force ||
                                (ice == Request::Ice::as_it_came && theirs.webrtc.party_has_ice());
            ours.webrtc.ice = wanted && !request_.reject_ice;
            if (request_.ice_lite) ours.webrtc.lite = request_.ice_lite->first;
        }
        if (ours.webrtc.on) ours.mux_offered = ours.mux = true;  // DTLS is spoken at one port only
        if (media.mid.empty() ? request_.generate_mid || to.bundle_offered : true) {
            const auto index = static_cast<std::size_t>(&media - sdp_->media.data());
            ours.mid = media.mid.empty() ? fmt::to_string(index) : std::string(media.mid);
        }
        open_further(ours);
        ours.webrtc.offer(*ours.side, local_of(ours));
        return {};
    }
    if (ours.webrtc.on && ice == Request::Ice::remove) ours.webrtc.ice = false;
    if (ours.webrtc.ice_alone && ice == Request::Ice::remove) {
        ours.webrtc.ice_alone = ours.webrtc.ice = false;
        ours.webrtc.end(*ours.side);
    }
    for (auto [section, offers] : {std::pair(&theirs, false), std::pair(&ours, true)}) {
        auto& webrtc = section->webrtc;
        if (!webrtc.ice_alone) continue;
        webrtc.ice = webrtc.ice && webrtc.party_has_ice();
        open_further(*section);
        if (!webrtc.ice) {  // no candidates: media goes as if never said
            webrtc.ice_alone = false;
            webrtc.end(*section->side);
        } else if (auto done = offers ? webrtc.answer(*section->side, local_of(*section), false)
                                      : webrtc.answered(*section->side, local_of(*section));
                   !done) {
            return done;
        }
    }
    if (theirs.webrtc.on) {
        if (from.bundle_offered) group(from, theirs);
        if (!theirs.carrier) open_further(theirs);
        if (theirs.carrier)
            ride(theirs);
        else if (auto done = theirs.webrtc.answered(*theirs.side, local_of(theirs)); !done)
            return done;
        theirs.mux = true;
    }
    if (ours.webrtc.on) {
        if (to.bundle_accept) group(to, ours);
        const bool passive = request_.dtls_passive_reverse.value_or(
            request_.dtls_passive.value_or(house_.settings.dtls_passive));
        if (!ours.carrier) open_further(ours);
        if (ours.carrier)
            ride(ours);
        else if (auto done = ours.webrtc.answer(*ours.side, local_of(ours), passive); !done)
            return done;
        ours.mux = ours.mux_theirs;
    }
    return {};
}

// With a party alone: `offers` says whose offer its description is.
Result<> Negotiation::agree_webrtc_alone(Party& party, Section& section, const sdp::Media& media,
                                         bool offers) {
    auto& webrtc = section.webrtc;
    const bool has_ice = sdp_->attribute_for(media, "ice-ufrag").has_value();
    if (offers) webrtc.ice_alone = !webrtc.on && has_ice && !request_.reject_ice;
    if (!webrtc.has_path()) {
        webrtc.end(*section.side);
        return {};
    }
    if (auto read = webrtc.read(*sdp_, media); !read) return read;
    webrtc.ice = webrtc.party_has_ice() && (offers ? !request_.reject_ice : webrtc.ice);
    if (webrtc.ice_alone && !webrtc.ice) {
        webrtc.ice_alone = false;
        webrtc.end(*section.side);
        return {};
    }
    if (request_.no_tls_id) webrtc.names_association = false;
    if (webrtc.on && !offers) section.mux = true;
    if (offers && party.bundle_accept) group(party, section);
    if (section.carrier) {
        ride(section);
        return {};
    }
    open_further(section);
    const bool passive = request_.dtls_passive.value_or(house_.settings.dtls_passive);
    return offers ? webrtc.answer(*section.side, local_of(section), passive)
                  : webrtc.answered(*section.side, local_of(section));
}

// Candidates without DTLS, of a party that has them and towards one that is to have them.
void Negotiation::choose_ice_alone(Section& theirs, Section& ours, const sdp::Media& media) const {
    const auto ice = request_.ice.value_or(Request::Ice::as_it_came);
    const bool can = media.is_rtp() && !request_.reject_ice;
    const bool theirs_has = can && sdp_->attribute_for(media, "ice-ufrag").has_value();
    theirs.webrtc.ice_alone = theirs_has && !theirs.webrtc.on && !theirs.opaque;
    const bool goes_on = ours.webrtc.ice_alone && ours.webrtc.begun();
    const bool wanted =
        ice == Request::Ice::force || (ice == Request::Ice::as_it_came && (theirs_has || goes_on));
    ours.webrtc.ice_alone = can && wanted && !ours.webrtc.on && !ours.opaque;
}

// The first section of the party's group that is not refused carries the others.
void Negotiation::group(Party& party, Section& section) {
    const auto grouped = [&](const Section& s) {
        return std::ranges::find(party.bundle, s.mid) != party.bundle.end();
    };
    if (section.mid.empty() || !grouped(section)) return;
    for (std::size_t i = 0; i < party.sections.size(); ++i) {
        const Section& first = party.sections[i];
        if (&first == &section) return;
        if (first.webrtc.on && !first.refused && first.side && grouped(first)) {
            section.carrier = i;
            return;
        }
    }
}

std::vector<std::string> Negotiation::transport_lines(Party& to, const Section& ours) const {
    const Section& carrier = ours.carrier ? to.sections[*ours.carrier] : ours;
    const auto hash = request_.dtls_hash.value_or(dtls::Hash::sha_256);
    return carrier.webrtc.lines(local_of(carrier), hash);
}

// In an offer all sections that a browser could tell apart on one path; in an answer those that the
// party grouped itself.
std::string Negotiation::bundle_of(Party& to, const std::vector<SectionOutput>& outputs,
                                   bool is_offer) const {
    if (is_offer ? !to.bundle_offered : !to.bundle_accept) return {};
    std::string mids;
    std::bitset<128> types;
    std::size_t at = 0;
    for (const auto& out : outputs) {
        const Section& section = to.sections[std::min(at++, to.sections.size() - 1)];
        if (!out.source || out.untouched || !section.webrtc.on || section.mid.empty()) continue;
        if (!is_offer && std::ranges::find(to.bundle, section.mid) == to.bundle.end()) continue;
        if (is_offer)
            for (const auto& format : out.formats) {
                const auto type = parse_number<std::uint8_t>(format.token);
                if (!type || *type >= types.size()) continue;
                if (types[*type]) return {};  // one number for two things
                types.set(*type);
            }
        if (!mids.empty()) mids += ' ';
        mids += section.mid;
    }
    return mids;
}

Result<> Negotiation::trickle(Party& from) {
    const auto sdp = sdp::Session::parse_fragment(request_.sdp);
    if (!sdp) return fail("Failed to parse SDP: {}", sdp.error().text());
    for (std::size_t i = 0; i < sdp->media.size(); ++i) {
        const auto& media = sdp->media[i];
        for (std::size_t at = 0; at < from.sections.size(); ++at) {
            Section& section = from.sections[at];
            const bool meant = media.mid.empty() ? at == i : section.mid == media.mid;
            if (!meant || !section.side) continue;
            Section& carrier = section.carrier ? from.sections[*section.carrier] : section;
            carrier.webrtc.trickle(*carrier.side, sdp->attribute_for(media, "ice-ufrag"),
                                   media::read_candidates(media),
                                   media.attribute("end-of-candidates").has_value());
        }
    }
    return {};
}

}  // namespace strowger::relay
