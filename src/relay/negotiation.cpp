#include "relay/negotiation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/text.hpp"
#include "io/media_socket.hpp"

namespace strowger::relay {
namespace {

// The names that SIP proxies used for the families before interfaces had names.
std::optional<bool> family_named(std::string_view name) {
    if (name == "internal") return false;
    if (name == "external") return true;
    return std::nullopt;
}

bool is_somewhere(const std::optional<SocketAddress>& place) {
    return place && !place->ip.is_unspecified();
}

}  // namespace

Result<std::string> Negotiation::offer(Party& from, Party& to) { return run(from, to, true); }
Result<std::string> Negotiation::answer(Party& from, Party& to) { return run(from, to, false); }

Result<std::string> Negotiation::run(Party& from, Party& to, bool is_offer) {
    const auto sdp = sdp::Session::parse(request_.sdp);
    if (!sdp) return fail("Failed to parse SDP: {}", sdp.error().text());
    if (request_.loop_protect && sdp->attribute("rtpengine") == house_.instance)
        return std::string(request_.sdp);
    sdp_ = &*sdp;
    remember(from, to, is_offer);
    remember_webrtc(from, to, is_offer);

    std::vector<SectionOutput> outputs;
    std::size_t place = 0;  // of the section in the call; those kept from the party take part
    IpAddress address;
    bool any = false;
    for (std::size_t index = 0; index < sdp->media.size(); ++index, ++place) {
        while (!is_offer && place < from.sections.size() && from.sections[place].hidden) {
            outputs.push_back({.literal = from.sections[place].literal});
            ++place;
        }
        const sdp::Media& media = sdp->media[index];
        for (Party* party : {&from, &to})
            while (party->sections.size() <= place) party->sections.emplace_back();
        Section& theirs = from.sections[place];
        Section& ours = to.sections[place];
        theirs.kind = ours.kind = std::string(media.kind);
        if (is_offer && removes(media)) {
            ours.hidden = true;
            ours.literal = fmt::format("m={} 0 {}", media.kind, media.protocol);
            for (const auto& format : media.formats)
                ours.literal += fmt::format(" {}", format.token);
            ours.literal += "\r\n";
            continue;
        }
        // In a bundle port 0 is not always a refusal.
        theirs.refused = from.bundle_accept ? media::is_refused(media) : media.is_refused();
        if (theirs.refused) {
            ours.refused = true;
            ours.carrier.reset();
            outputs.push_back({.source = &media, .index = index, .untouched = true});
            continue;
        }
        ours.refused = is_offer ? false : ours.refused;
        if (auto learnt = learn(from, theirs, media); !learnt)
            return std::unexpected(learnt.error());
        if (auto ready = prepare(from, to, theirs, ours, media, is_offer); !ready)
            return std::unexpected(ready.error());
        outputs.push_back(output(to, theirs, ours, media, index, is_offer));
        if (!any) address = outputs.back().address;
        any = true;
    }
    for (; !is_offer && place < from.sections.size(); ++place)
        if (from.sections[place].hidden)
            outputs.push_back({.literal = from.sections[place].literal});

    call_.join(from, to);
    call_.route();
    call_.gate(from);
    call_.gate(to);
    auto head = session(to, *sdp, address);
    head.keep_dtls = std::ranges::any_of(outputs, [](const auto& out) { return out.keep_dtls; });
    head.lite = std::ranges::any_of(to.sections, [](const auto& s) {
        return s.webrtc.has_path() && s.webrtc.ice && s.webrtc.lite;
    });
    head.bundle = bundle_of(to, outputs, is_offer);
    return versioned(to, write_sdp(*sdp, head, outputs, request_));
}

// What a request says of the parties holds until another says otherwise.
void Negotiation::remember(Party& from, Party& to, bool is_offer) {
    if (request_.direction.size() >= 2) {
        const auto names = std::pair(request_.direction[0], request_.direction[1]);
        for (auto [party, name] : {std::pair(&from, names.first), std::pair(&to, names.second)}) {
            if (name.empty()) continue;
            const auto family = family_named(name);
            if (!house_.interfaces.knows(name) && family)
                party->v6 = family;
            else
                party->interface = name;
            party->route_address.reset();
        }
    }
    if (request_.wants_v6) to.v6 = request_.wants_v6;
    if (request_.received_from) from.received_from = request_.received_from;
    if (is_offer || request_.learning) {
        if (request_.learning) from.learning = to.learning = request_.learning;
    }
    if (request_.asymmetric) from.asymmetric = true;
    if (request_.symmetric) from.asymmetric = false;
    if (request_.strict_source) from.strict_source = true;
    if (request_.media_handover) from.media_handover = true;
    from.sip_source =
        request_.sip_source || (house_.settings.sip_source && !request_.trust_address);
    const auto sender = media_address_of(from);
    choose_by_route(from, request_.inbound_peer, sender);
    if (&to != &from) {
        // Who has not answered yet is looked for where the description came from.
        const auto known = std::ranges::find_if(
            to.sections, [](const auto& section) { return is_somewhere(section.signalled); });
        choose_by_route(to, request_.outbound_peer,
                        known == to.sections.end() ? sender : known->signalled->ip);
    }
    if (!request_.label.empty()) from.label = request_.label;
    if (!request_.set_label.empty()) from.label = request_.set_label;
    if (!request_.to_label.empty()) to.label = request_.to_label;
    if (request_.block_dtmf) {
        call_.block_dtmf = true;
        call_.blocked_keys = keys_in_place(request_);
    }
    if (request_.key_delay) from.key_delay = std::chrono::milliseconds(*request_.key_delay);
    if (!request_.hold_file.empty()) from.hold_file = request_.hold_file;
    if (request_.hold_mode_sendrecv) from.hold_mode_sendrecv = *request_.hold_mode_sendrecv;
    if (request_.nat_wait) from.nat_wait = true;
    if (request_.drop_traffic) call_.dropped = *request_.drop_traffic;
    if (request_.loop_protect) call_.loop_check = true;
    if (request_.debug) call_.debug = true;
    if (request_.delay_buffer)
        from.delay_buffer = std::chrono::milliseconds(*request_.delay_buffer);
    if (request_.no_jitter_buffer) call_.jitter_packets = 0;
    if (request_.generate_rtcp) call_.generate_rtcp = *request_.generate_rtcp;
    if (request_.media_echo) {
        using enum MediaEcho;
        const auto echo = *request_.media_echo;
        const auto hears = [&](MediaEcho way) {
            if (echo == off) return Party::Hears::others;
            return echo == way || echo == both ? Party::Hears::itself : Party::Hears::nobody;
        };
        from.hears = hears(forward);
        to.hears = hears(backwards);
    }
}

// Where the sender takes media: in its description, or where its signalling came from.
std::optional<IpAddress> Negotiation::media_address_of(const Party& from) const {
    if (from.sip_source && from.received_from) return from.received_from;
    for (const auto& media : sdp_->media)
        if (const auto address = media.address(); is_somewhere(address)) return address->ip;
    return std::nullopt;
}

// The interface at the address that datagrams to there leave from. An address that says nothing (on
// hold, or before ICE has begun) leaves the choice as it was.
void Negotiation::choose_by_route(Party& party, const Request::Peer& peer,
                                  const std::optional<IpAddress>& usual) {
    const auto& towards = peer.address ? peer.address : usual;
    if (!peer.asked || !towards) return;
    const auto begins = io::local_address_towards(*towards);
    const auto* local = begins ? house_.interfaces.at(*begins) : nullptr;
    party.interface = local ? local->name : std::string();
    party.route_address.reset();
    if (local && peer.address) party.v6 = local->bind.is_v6();
    if (local)
        party.route_address = local->bind;
    else
        LOG_NOTICE(
            (log::About{"relay", call_.id}),
            "the route towards {} begins at {}, which no interface has: the default is taken",
            towards->text(), begins ? begins->text() : "no address");
}

// What the sender says about itself.
Result<> Negotiation::learn(Party& from, Section& section, const sdp::Media& media) {
    if (!media.mid.empty()) section.mid = media.mid;
    section.mid_extension = mid_extension(media);
    section.opaque = !media.is_rtp() || (is_dtls(media.protocol) && !section.webrtc.on);
    // With ICE the address of the connection says nothing (RFC 8839 section 5.4).
    const bool has_ice = sdp_ && sdp_->attribute_for(media, "ice-ufrag").has_value();
    section.direction = has_ice ? media.direction : media.effective_direction();
    if (media.ptime) section.ptime = media.ptime;
    section.mux_theirs = media.rtcp_mux;
    section.signalled = media.address();
    section.signalled_rtcp = media.rtcp_address(media.rtcp_mux);
    section.rtcp_said = media.rtcp_port.has_value();
    if (!section.signalled && has_ice)
        section.signalled = SocketAddress{IpAddress::v4({0, 0, 0, 0}), 9};
    if (!section.signalled)
        return fail("Failed to parse SDP: m={} {}: no address of the connection", media.kind,
                    media.port);
    if (from.sip_source && from.received_from) {
        section.signalled->ip = *from.received_from;
        if (section.signalled_rtcp) section.signalled_rtcp->ip = *from.received_from;
    }
    section.sdes.read(media);
    section.events.reset();
    section.payloads.clear();
    for (const auto& format : media.formats) {
        if (!format.type || *format.type > 127) continue;
        section.payloads.push_back({*format.type, format.codec()});
        if (iequals(format.name, "telephone-event")) section.events.set(*format.type);
    }
    return {};
}

Result<> Negotiation::prepare(Party& from, Party& to, Section& theirs, Section& ours,
                              const sdp::Media& media, bool is_offer) {
    // What was asked for in an earlier offer is remembered, until the sender changes its own.
    const bool changed = theirs.protocol != media.protocol;
    theirs.protocol = media.protocol;
    if (is_offer || ours.protocol.empty()) {
        if (!request_.protocol.empty() && media.is_rtp())
            ours.protocol = request_.protocol;
        else if (ours.protocol.empty() || (changed && !request_.accept_protocol))
            ours.protocol = theirs.protocol;
        if (request_.osrtp_offer && ours.protocol == "RTP/SAVP") ours.protocol = "RTP/AVP";
    }
    if (is_offer) {
        // Keys that the parties share would keep us from what is in the packets.
        // What was asked for once goes on until something else is.
        const bool asked = wants_recoding(request_);
        const bool before = theirs.codecs.engaged && ours.codecs.engaged;
        theirs.codecs.engaged = ours.codecs.engaged =
            media.is_rtp() && media.kind == "audio" && (asked || before);
        theirs.codecs.goes_on = ours.codecs.goes_on = !asked;
        if (request_.dtls_off && is_dtls(ours.protocol))
            ours.protocol.erase(0, std::string_view("UDP/TLS/").size());
        const bool through = goes_through(theirs, ours, media);
        theirs.webrtc.on = is_dtls(theirs.protocol) && !through;
        ours.webrtc.on = is_dtls(ours.protocol) && !through;
        theirs.opaque = !media.is_rtp() || through;
    }
    ours.opaque = theirs.opaque;

    const bool nowhere = theirs.signalled->ip.is_unspecified();
    const bool v6 =
        nowhere && theirs.local ? theirs.local->bind.is_v6() : theirs.signalled->ip.is_v6();
    if (!theirs.side)
        if (auto opened = open(from, theirs, v6, std::nullopt); !opened) return opened;
    const bool to_v6 = to.v6.value_or(ours.signalled ? ours.signalled->ip.is_v6() : v6);
    // The other end of a stream moved: its far side gets other ports, so that nothing of the old
    // stream is taken for the new. Not in answers: those of all forks, and of one that comes again,
    // must name the same.
    const bool moved = is_offer && ours.side && ours.opened_for && !nowhere &&
                       *ours.opened_for != *theirs.signalled && !request_.port_latching &&
                       !ours.webrtc.begun() && !theirs.webrtc.begun();
    if (!ours.side || moved)
        if (auto opened = open(to, ours, to_v6, theirs.signalled); !opened) return opened;
    if (!nowhere) ours.opened_for = theirs.signalled;

    agree_mux(theirs, ours, is_offer);
    if (auto agreed = agree_webrtc(from, to, theirs, ours, media, is_offer); !agreed) return agreed;
    if (auto agreed = agree_keys(theirs, ours, is_offer); !agreed) return agreed;
    // Feedback goes wherever the parties want it, but not from a profile that has it to one
    // without.
    theirs.place.feedback = theirs.opaque || theirs.knows_feedback() || !ours.knows_feedback();
    ours.place.feedback = ours.opaque || ours.knows_feedback() || !theirs.knows_feedback();
    aim(from, theirs);
    aim(to, ours);
    return {};
}

Result<> Negotiation::open(Party& party, Section& section, bool v6,
                           std::optional<SocketAddress> opened_for) {
    LocalInterface& local = house_.interfaces.pick(party.interface, v6, party.route_address);
    auto side = house_.engine.open(call_.home, local.ports, local.bind,
                                   request_.tos.value_or(house_.settings.tos));
    if (!side) return fail("Ran out of ports: interface {}: {}", local.name, side.error().text());
    close_further(section);
    if (section.side) (*side)->inherit(*section.side);
    section.side = std::move(*side);
    section.local = &local;
    section.opened_for = opened_for;
    return {};
}

void Negotiation::agree_mux(Section& theirs, Section& ours, bool is_offer) {
    if (is_offer) {
        ours.mux_offered = request_.mux_offer || (theirs.mux_theirs && !request_.mux_demux);
        if (request_.mux_demux) theirs.mux = theirs.mux_theirs;
        if (request_.mux_require) ours.mux = true;
        if (request_.mux_accept) theirs.mux = theirs.mux_theirs;
        if (request_.mux_reject) theirs.mux_theirs = false;
        return;
    }
    // Here `theirs` is the answerer's side, and `ours` that of who offered.
    theirs.mux = theirs.mux_theirs && theirs.mux_offered;
    const bool wants = ours.mux || request_.mux_accept || request_.mux_demux || theirs.mux;
    ours.mux = ours.mux_theirs && wants && !request_.mux_reject;
}

Result<> Negotiation::agree_keys(Section& theirs, Section& ours, bool is_offer) {
    if (theirs.opaque) return {};
    const bool their_keys =
        theirs.secure() || (request_.osrtp_accept && !theirs.sdes.theirs().empty());
    if (is_offer) {
        if (ours.secure() || request_.osrtp_offer)
            ours.sdes.offer(
                their_keys && !request_.recrypt && !ours.codecs.engaged && !call_.generate_rtcp
                    ? theirs.sdes.theirs()
                    : std::vector<srtp::Crypto>{},
                request_);
        else
            ours.sdes.clear_ours();
        return {};
    }
    // `theirs` answered what we offered to it; `ours` offered, and gets the answer.
    const srtp::Crypto* chosen =
        their_keys || theirs.sdes.answer() ? theirs.sdes.chosen() : nullptr;
    if (theirs.secure() && !chosen)
        return fail("m={} {}: the answer has no key for any suite that was offered", theirs.kind,
                    theirs.protocol);
    theirs.passthrough = ours.passthrough = false;
    const bool offerer_secure =
        ours.secure() || (request_.osrtp_accept && !ours.sdes.theirs().empty());
    if (offerer_secure) {
        const srtp::Crypto* same = nullptr;
        if (chosen && !request_.recrypt && !ours.codecs.engaged && !call_.generate_rtcp)
            for (const auto& offered : ours.sdes.theirs())
                if (offered.policy == chosen->policy && offered.keys == chosen->keys)
                    same = &offered;
        if (same) {
            const srtp::Crypto offered = *same;
            ours.sdes.accept(offered, *theirs.sdes.answer());
            theirs.passthrough = ours.passthrough = true;
        } else if (!ours.sdes.accept_first(request_)) {
            return fail("m={} {}: the offer has no key of a suite that is known and allowed",
                        ours.kind, ours.protocol);
        }
    }
    const auto key = [](const srtp::Crypto* crypto) -> std::optional<media::RelaySide::Key> {
        if (!crypto) return std::nullopt;
        return media::RelaySide::Key{crypto->policy, crypto->identified_keys()};
    };
    const bool through = theirs.passthrough;
    const auto* answer = chosen ? theirs.sdes.answer() : nullptr;
    const auto* offerers =
        offerer_secure && !ours.sdes.ours().empty() ? &ours.sdes.ours().front() : nullptr;
    for (auto result :
         {theirs.side->set_receiving_key(key(through ? nullptr : answer)),
          theirs.side->set_sending_key(key(through ? nullptr : chosen)),
          ours.side->set_receiving_key(key(through || !offerers ? nullptr : ours.sdes.answer())),
          ours.side->set_sending_key(key(through ? nullptr : offerers))})
        if (!result) return result;
    return {};
}

void Negotiation::aim(Party& party, Section& section) {
    const auto learning = party.learning.value_or(house_.settings.learning);
    media::RelayStream::Place place;
    const bool nowhere = section.signalled && section.signalled->ip.is_unspecified();
    if (section.signalled && !nowhere) {
        place.target.rtp = section.signalled;
        place.target.rtcp = section.signalled_rtcp;
    }
    place.target.likely = party.received_from;
    if (party.nat_wait && section.signalled) {
        place.target.rtp.reset();
        place.target.rtcp.reset();
        if (!place.target.likely) place.target.likely = section.signalled->ip;
        place.target.learning.probation = 1;
    }
    place.target.symmetric = learning != Learning::off && !party.asymmetric;
    place.target.muxed = section.mux;
    place.target.may_connect = !party.media_handover;
    if (learning == Learning::immediate) place.target.learning.probation = 1;
    if (party.media_handover) {
        place.target.learning.probation = 1;
        place.target.learning.patience = Duration{};
    }
    place.follow = party.media_handover;
    place.kind = section.opaque ? media::RelayStream::Kind::opaque : media::RelayStream::Kind::rtp;
    place.feedback = section.place.feedback;
    place.sealed = section.passthrough;
    section.place = place;
    section.side->aim(place);
    if (request_.pierce_nat && place.target.rtp && !section.webrtc.has_path())
        section.side->pierce();
}

SectionOutput Negotiation::output(Party& to, Section& theirs, Section& ours,
                                  const sdp::Media& media, std::size_t index, bool is_offer) {
    SectionOutput out{.source = &media, .index = index};
    out.port = ours.side->port();
    out.address = request_.media_address.value_or(ours.local->advertised);
    const bool zero = theirs.signalled->ip.is_unspecified() && !request_.replace_zero &&
                      !theirs.webrtc.party_has_ice() && !ours.webrtc.has_path();
    if (zero) out.address = theirs.signalled->ip;
    out.protocol = ours.protocol;
    out.formats = is_offer ? offered_formats(media, request_, theirs.codecs, ours.codecs)
                           : answered_formats(media, request_, theirs.codecs, ours.codecs);
    out.mid = media.mid;
    if (!ours.mid.empty() && (!is_offer || out.mid.empty())) out.mid = ours.mid;
    out.keep_dtls = is_dtls(ours.protocol) && ours.opaque;
    if (ours.webrtc.has_path()) {
        out.transport = transport_lines(to, ours);
        if (ours.carrier) out.port = to.sections[*ours.carrier].side->port();
    }
    out.feedback = ours.place.feedback;
    if (!request_.original_sendrecv) out.direction = direction_towards(to, theirs, ours, is_offer);
    if (media.is_rtp()) {
        out.mux = is_offer ? ours.mux_offered : ours.mux;
        const bool one_port = ours.mux;
        if (!request_.no_rtcp_attribute)
            out.rtcp_port = static_cast<std::uint16_t>(out.port + (one_port ? 0 : 1));
        out.full_rtcp = request_.full_rtcp_attribute;
        out.crypto = ours.sdes.lines(request_);
        const auto wanted = is_offer ? request_.ptime : request_.ptime_reverse;
        out.ptime = wanted ? wanted : ours.codecs.packet_ms ? ours.codecs.packet_ms : media.ptime;
    }
    return out;
}

// Who is held hears something from us, and is told so; who holds is not.
sdp::Direction Negotiation::direction_towards(const Party& to, const Section& theirs,
                                              const Section& ours, bool is_offer) const {
    const auto said = theirs.direction;
    if (theirs.kind != "audio" || !to.dialogue) return said;
    const Party& other = *to.dialogue;
    if (is_offer && !other.hold_file.empty() && !sdp::receives(said))
        return other.hold_mode_sendrecv ? sdp::Direction::sendrecv : sdp::Direction::sendonly;
    if (!is_offer && to.holds && said != sdp::Direction::inactive && !sdp::receives(ours.direction))
        return sdp::reversed(ours.direction);
    return said;
}

bool Negotiation::removes(const sdp::Media& media) const {
    return std::ranges::any_of(request_.remove_media,
                               [&](auto kind) { return iequals(kind, media.kind); });
}

SessionOutput Negotiation::session(Party& to, const sdp::Session& sdp, const IpAddress& address) {
    auto& memory = to.memory;
    const auto& o = sdp.origin;
    if (!memory.known) {
        memory.known = true;
        memory.username = o.username;
        memory.session_name = sdp.name;
        memory.version = parse_number<std::uint64_t>(o.session_version).value_or(0);
        memory.origin = fmt::format("{} {}", o.username, o.session_id);
    }
    const bool full = request_.replace_origin_full;
    const bool counts = request_.replace_version || request_.force_version || full;
    SessionOutput out;
    const std::string head =
        full ? memory.origin
             : fmt::format(
                   "{} {}",
                   request_.replace_username ? std::string_view(memory.username) : o.username,
                   o.session_id);
    const std::string version =
        counts ? fmt::to_string(memory.version) : std::string(o.session_version);
    if (request_.replace_origin || full)
        out.origin = fmt::format("{} {} IN {} {}", head, version, address.is_v6() ? "IP6" : "IP4",
                                 address.text());
    else
        out.origin =
            fmt::format("{} {} {} {} {}", head, version, o.network_type, o.address_type, o.address);
    out.name = request_.replace_session_name ? std::string_view(memory.session_name) : sdp.name;
    if (request_.loop_protect) out.mark = house_.instance;
    out.keep_direction = request_.original_sendrecv;
    return out;
}

// The version of what goes to a party rises when anything else in it changed, if that is asked for.
std::string Negotiation::versioned(Party& to, std::string text) {
    auto& memory = to.memory;
    const bool counts =
        request_.replace_version || request_.force_version || request_.replace_origin_full;
    if (!counts) return text;
    const bool same = memory.last_text == text;
    if (!memory.last_text.empty() && (!same || request_.force_version)) {
        const std::string before = fmt::format(" {} IN ", memory.version++);
        const auto line = text.find("\r\no=");
        const auto end = text.find("\r\n", line + 2);
        const auto at = text.find(before, line);
        if (line != std::string::npos && at < end)
            text.replace(at, before.size(), fmt::format(" {} IN ", memory.version));
    }
    memory.last_text = text;
    return text;
}

}  // namespace strowger::relay
