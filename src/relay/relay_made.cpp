// Commands for which the relay makes descriptions of its own: publish, subscribe, create, connect.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "relay/relay.hpp"

namespace strowger::relay {
namespace {

const std::vector<sdp::Payload> standard_payloads{{0, {"PCMU", 8000, 1, {}}},
                                                  {8, {"PCMA", 8000, 1, {}}}};

std::string m_line(const Section& section, const Section& carrier,
                   std::span<const sdp::Payload> payloads) {
    std::string text = fmt::format("m={} {} {}", section.kind,
                                   section.refused ? 0 : carrier.side->port(), section.protocol);
    if (payloads.empty()) text += " 0";
    for (const auto& payload : payloads) text += fmt::format(" {}", payload.type);
    return text + "\r\n";
}

// A description of a party's sections as we offer or answer them to it.
std::string describe(Party& party, const Negotiation& negotiation, std::uint64_t session,
                     sdp::Direction direction, std::size_t max_codecs, const Request& request) {
    IpAddress own;
    for (const auto& section : party.sections)
        if (section.local) own = section.local->advertised;
    const auto family = own.is_v6() ? "IP6" : "IP4";
    std::string text =
        fmt::format("v=0\r\no=- {} 1 IN {} {}\r\ns=-\r\nt=0 0\r\n", session, family, own.text());
    std::string bundled;
    for (const auto& section : party.sections)
        if (!section.refused && party.bundle_accept &&
            std::ranges::find(party.bundle, section.mid) != party.bundle.end())
            bundled += ' ' + section.mid;
    if (!bundled.empty()) text += fmt::format("a=group:BUNDLE{}\r\n", bundled);
    if (std::ranges::any_of(party.sections, [](const auto& section) {
            return section.webrtc.has_path() && section.webrtc.ice && section.webrtc.lite;
        }))
        text += "a=ice-lite\r\n";
    for (const auto& section : party.sections) {
        const auto payloads =
            std::span(section.payloads).first(std::min(max_codecs, section.payloads.size()));
        const Section& carrier = section.carrier ? party.sections[*section.carrier] : section;
        text += m_line(section, carrier, payloads);
        if (section.refused) continue;
        text += fmt::format("c=IN {} {}\r\n", family, section.local->advertised.text());
        if (!section.mid.empty()) text += fmt::format("a=mid:{}\r\n", section.mid);
        for (const auto& [type, codec] : payloads) {
            if (codec.name.empty()) continue;
            text += fmt::format("a=rtpmap:{} {}/{}", type, codec.name, codec.clock_rate);
            text += codec.channels > 1 ? fmt::format("/{}\r\n", codec.channels) : "\r\n";
            if (!codec.fmtp.empty()) text += fmt::format("a=fmtp:{} {}\r\n", type, codec.fmtp);
        }
        text += fmt::format("a={}\r\n", sdp::name_of(direction));
        if (!request.no_rtcp_attribute)
            text += fmt::format("a=rtcp:{}\r\n", carrier.side->port() + (section.mux ? 0 : 1));
        if (section.mux) text += "a=rtcp-mux\r\n";
        for (const auto& crypto : section.sdes.lines(request))
            text += fmt::format("a=crypto:{}\r\n", crypto);
        if (!section.webrtc.has_path()) continue;
        for (const auto& line : negotiation.transport_lines(party, section))
            text += fmt::format("a={}\r\n", line);
    }
    return text;
}

}  // namespace

Result<Call*> Relay::call_to_make(const Request& request, std::string& made_id) {
    if (!request.call_id.empty()) return call_for_offer(request);
    made_id = random_.token(24);
    Request named;
    named.call_id = made_id;
    return call_for_offer(named);
}

std::string Relay::tag_or_made(std::string_view tag) {
    return tag.empty() ? random_.token(16) : std::string(tag);
}

// What somebody sends us is taken, with one codec a section, for others to subscribe to.
Result<> Relay::publish(const Request& request, ng::Writer& out) {
    if (request.sdp.empty()) return fail("No SDP body in message");
    std::string made_id;
    auto call = call_to_make(request, made_id);
    if (!call) return std::unexpected(call.error());
    const bool fresh = (*call)->parties.empty();
    const std::string tag = tag_or_made(request.from_tag);
    const auto found = (*call)->find_or_add(tag, wall());
    if (!found) return undo(**call, fresh, std::unexpected(found.error()));
    Party& party = **found;
    Negotiation negotiation(house(), **call, request);
    if (auto taken = negotiation.take_offer(party); !taken) return undo(**call, fresh, taken);
    (*call)->answered = true;
    (*call)->last_signal = wall();
    (*call)->route();
    out.pair("sdp", describe(party, negotiation, random_.next() >> 2, sdp::Direction::recvonly, 1,
                             request));
    out.pair("call-id", (*call)->id).pair("from-tag", tag);
    return {};
}

Result<> Relay::subscribe_request(const Request& request, ng::Writer& out) {
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    std::vector<Party*> sources;
    for (const auto tag : request.from_tags) {
        Party* source = (*call)->find(tag);
        if (!source) return fail("From-tag '{}' not found", tag);
        sources.push_back(source);
    }
    if (sources.empty()) {
        auto selected_ones = listeners(**call, request);
        if (!selected_ones) return std::unexpected(selected_ones.error());
        sources = std::move(*selected_ones);
    }
    const std::string tag = tag_or_made(request.to_tag);
    Party* listener = (*call)->find(tag);
    if (listener) std::erase(sources, listener);
    // Those who only listen have nothing to be subscribed to.
    std::erase_if(sources, [](const Party* source) {
        return std::ranges::none_of(source->sections,
                                    [](const auto& s) { return s.signalled && !s.refused; });
    });
    if (sources.empty()) return fail("No call participant specified that sends anything");
    const bool fresh = listener == nullptr;
    if (!listener) {
        auto added = (*call)->add(tag, wall());
        if (!added) return std::unexpected(added.error());
        listener = *added;
    }
    Negotiation negotiation(house(), **call, request);
    if (auto made = negotiation.make_offer(*listener, sources); !made) {
        if (fresh) (*call)->remove(*listener);
        return made;
    }
    (*call)->last_signal = wall();
    out.pair("sdp", describe(*listener, negotiation, random_.next() >> 2, sdp::Direction::sendonly,
                             listener->sections.size() * 128, request));
    out.key("from-tags").list();
    for (const Party* source : sources) out.string(source->tag);
    out.end();
    if (sources.size() == 1) out.pair("from-tag", sources.front()->tag);
    out.pair("to-tag", tag);
    return {};
}

Result<> Relay::subscribe_answer(const Request& request, ng::Writer&) {
    if (request.sdp.empty()) return fail("No SDP body in message");
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    Party* listener = request.to_tag.empty() ? nullptr : (*call)->find(request.to_tag);
    if (!listener) return fail("To-tag not found");
    Negotiation negotiation(house(), **call, request);
    if (auto taken = negotiation.take_answer(*listener); !taken) return taken;
    (*call)->last_signal = wall();
    (*call)->route();
    return {};
}

Result<> Relay::unsubscribe(const Request& request, ng::Writer&) {
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    Party* listener = request.to_tag.empty() ? nullptr : (*call)->find(request.to_tag);
    if (!listener) return fail("To-tag not found");
    (*call)->remove(*listener);
    (*call)->route();
    return {};
}

Result<> Relay::create(const Request& request, ng::Writer& out) {
    std::string made_id;
    auto call = call_to_make(request, made_id);
    if (!call) return std::unexpected(call.error());
    const bool fresh = (*call)->parties.empty();
    const std::string tag = tag_or_made(request.from_tag);
    const auto found = (*call)->find_or_add(tag, wall());
    if (!found) return undo(**call, fresh, std::unexpected(found.error()));
    Party& party = **found;
    if (party.sections.empty()) party.sections.emplace_back();
    Section& section = party.sections.front();
    section.kind = "audio";
    section.protocol = request.protocol.empty() ? "RTP/AVP" : std::string(request.protocol);
    section.payloads = standard_payloads;
    Negotiation negotiation(house(), **call, request);
    if (auto opened = negotiation.open_for_offer(party, section); !opened)
        return undo(**call, fresh, opened);
    (*call)->last_signal = wall();
    out.pair("sdp", describe(party, negotiation, random_.next() >> 2, sdp::Direction::sendrecv, 128,
                             request));
    out.pair("call-id", (*call)->id).pair("from-tag", tag);
    return {};
}

Result<> Relay::create_answer(const Request& request, ng::Writer&) {
    if (request.sdp.empty()) return fail("No SDP body in message");
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    Party* party = (*call)->find(request.from_tag);
    if (!party) return fail("From-tag not found");
    Negotiation negotiation(house(), **call, request);
    if (auto taken = negotiation.take_answer(*party); !taken) return taken;
    (*call)->answered = true;
    (*call)->last_signal = wall();
    (*call)->route();
    return {};
}

Result<> Relay::connect(const Request& request, ng::Writer&) {
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    if (!request.to_call_id.empty() && request.to_call_id != (*call)->id) {
        Call* other = find(request.to_call_id);
        if (!other) return fail("Unknown to-call-id");
        if (auto merged = merge(**call, *other); !merged) return merged;
    }
    Party* from = (*call)->find(request.from_tag);
    Party* to = (*call)->find(request.to_tag);
    if (!from) return fail("From-tag not found");
    if (!to || to == from) return fail("To-tag not found");
    if (request.directional) {
        (*call)->subscribe(*to, *from);
    } else {
        (*call)->join(*from, *to);
    }
    (*call)->answered = true;
    (*call)->last_signal = wall();
    (*call)->route();
    return {};
}

// Everybody of the other call comes over, with streams and subscriptions.
Result<> Relay::merge(Call& into, Call& other) {
    if (into.parties.size() + other.parties.size() > Call::max_parties)
        return fail("The calls together have more than {} parties", Call::max_parties);
    for (const auto& party : other.parties)
        if (into.find(party->tag)) return fail("Tag '{}' is in both calls", party->tag);
    engine_.flush();
    for (auto& party : other.parties) {
        for (auto& section : party->sections)
            if (section.side) engine_.move(*section.side, into.home);
        into.parties.push_back(std::move(party));
    }
    other.parties.clear();
    recordings_.end(other);
    calls_.erase(calls_.find(other.id));
    into.route();
    return {};
}

Result<> Relay::cli(const Request& request, ng::Writer& out) {
    out.pair("response", command_line_(request.body));
    return {};
}

}  // namespace strowger::relay
