#include "relay/relay.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "io/clock.hpp"
#include "relay/words.hpp"

namespace strowger::relay {
namespace {

std::string error_reply(ng::Encoding encoding, std::string_view reason) {
    ng::Writer out(encoding);
    out.dictionary().pair("result", "error").pair("error-reason", reason).end();
    return out.take();
}

/// An error that says `load limit` to those who can do something about it.
constexpr int over_limit = 1;

}  // namespace

Relay::Relay(Settings settings, Interfaces interfaces, Clock clock)
    : settings_(std::move(settings)),
      settings_at_start_(settings_),
      clock_(std::move(clock)),
      random_(Random::system()),
      identity_(settings_.dtls_certificate, clock_.now(), clock_.wall(), settings_.dtls_ciphers),
      instance_(fmt::format("{:012x}", random_.next() >> 16)),
      interfaces_(std::move(interfaces)),
      engine_(settings_.threads ? settings_.threads : std::thread::hardware_concurrency(),
              settings_.codec_threads.value_or(std::thread::hardware_concurrency())),
      recordings_(settings_, engine_, {clock_.now, clock_.wall}),
      started_(clock_.now()) {
    engine_.judge_listening(settings_.mos_listening);
}

std::size_t Relay::transcoded_sections() const {
    std::size_t count = 0;
    for (const auto& [id, call] : calls_)
        for (const auto& party : call->parties)
            for (const auto& section : party->sections) count += !section.transcoding.empty();
    return count;
}

Relay::~Relay() {
    calls_.clear();
    engine_.sweep();
}

const std::map<std::string_view, Relay::Command>& Relay::commands() {
    static const std::map<std::string_view, Command> table{
        {"ping", &Relay::ping},
        {"offer", &Relay::offer},
        {"answer", &Relay::answer},
        {"delete", &Relay::delete_call},
        {"query", &Relay::query},
        {"list", &Relay::list},
        {"statistics", &Relay::statistics},
        {"block-dtmf", &Relay::block_dtmf},
        {"unblock-dtmf", &Relay::unblock_dtmf},
        {"block-media", &Relay::block_media},
        {"unblock-media", &Relay::unblock_media},
        {"silence-media", &Relay::silence_media},
        {"unsilence-media", &Relay::unsilence_media},
        {"play-media", &Relay::play_media},
        {"stop-media", &Relay::stop_media},
        {"play-dtmf", &Relay::play_dtmf},
        {"start-recording", &Relay::start_recording},
        {"pause-recording", &Relay::pause_recording},
        {"stop-recording", &Relay::stop_recording},
        {"start-forwarding", &Relay::start_forwarding},
        {"stop-forwarding", &Relay::stop_forwarding},
        {"publish", &Relay::publish},
        {"subscribe-request", &Relay::subscribe_request},
        {"subscribe-answer", &Relay::subscribe_answer},
        {"unsubscribe", &Relay::unsubscribe},
        {"create", &Relay::create},
        {"create-answer", &Relay::create_answer},
        {"connect", &Relay::connect},
        {"cli", &Relay::cli},
    };
    return table;
}

std::string Relay::handle(std::string_view text, std::optional<IpAddress> asker) {
    asker_ = asker;
    if (text.empty() || (text[0] != 'd' && text[0] != '{'))
        return error_reply(ng::Encoding::bencode, "Invalid NG data format");
    const auto document = ng::Document::parse(text);
    if (!document) {
        const bool json = text[0] == '{';
        return error_reply(
            json ? ng::Encoding::json : ng::Encoding::bencode,
            fmt::format("Could not decode {}: {}", json ? "JSON object" : "bencode dictionary",
                        document.error().text()));
    }
    const Time begun = io::monotonic_now();
    const auto request = read_request(*document, [this](std::string_view name) {
        const auto found = settings_.templates.find(name);
        return found == settings_.templates.end() ? std::nullopt
                                                  : std::optional<std::string_view>(found->second);
    });
    if (!request) return error_reply(document->encoding(), request.error().text());

    const std::string name = plain_word(request->command);
    const auto command = commands().find(name);
    if (command == commands().end())
        return error_reply(document->encoding(), request->command.empty()
                                                     ? "Dictionary contains no key \"command\""
                                                     : "Unrecognized command");
    tell_unknown(*request);
    ng::Writer out(document->encoding());
    out.dictionary();
    const auto done = (this->*command->second)(*request, out);
    if (recordings_.active() > 0)
        if (Call* call = find(request->call_id)) recordings_.follow(*call);
    engine_.flush();
    auto& use = uses_[name];
    ++use.count;
    use.time += io::monotonic_now() - begun;
    if (const Call* call = find(request->call_id); call && call->debug)
        LOG_NOTICE((log::About{"relay", call->id}), "asked: {}", text);
    if (done) {
        if (name != "ping") out.pair("result", "ok");
        out.end();
        std::string reply = out.take();
        if (const Call* call = find(request->call_id); call && call->debug)
            LOG_NOTICE((log::About{"relay", call->id}), "answered: {}", reply);
        return reply;
    }
    ++use.errors;
    if (done.error().code() == over_limit && request->load_limit) {
        ng::Writer limited(document->encoding());
        limited.dictionary().pair("result", "load limit").end();
        return limited.take();
    }
    LOG_WARNING((log::About{"relay", request->call_id}), "{}: {}", name, done.error().text());
    return error_reply(document->encoding(), done.error().text());
}

void Relay::tell_unknown(const Request& request) {
    for (const auto& word : request.unknown) {
        if (told_.size() == max_told || told_.contains(word)) continue;
        told_.insert(word);
        LOG_NOTICE((log::About{"relay", request.call_id}),
                   "'{}' in {} has no effect here, now and from now on", word, request.command);
    }
}

Call* Relay::find(std::string_view id) {
    const auto found = calls_.find(id);
    return found == calls_.end() ? nullptr : found->second.get();
}

Result<Call*> Relay::call_of(const Request& request) {
    if (request.call_id.empty()) return fail("No call-id in message");
    if (Call* call = find(request.call_id)) return call;
    return fail("Unknown call-id");
}

Result<Call*> Relay::call_for_offer(const Request& request) {
    if (Call* call = find(request.call_id)) return call;
    for (const auto id : {request.call_id, request.from_tag, request.to_tag, request.via_branch})
        if (id.size() > max_id)
            return fail("An identifier has {} bytes, at most {} are taken", id.size(), max_id);
    if (settings_.max_sessions >= 0 &&
        calls_.size() >= static_cast<std::size_t>(settings_.max_sessions)) {
        ++totals_.rejected;
        return fail_with(over_limit, "Parallel session limit reached: {} of {}", calls_.size(),
                         settings_.max_sessions);
    }
    if (const auto reached = load_.over(settings_.max_load)) {
        ++totals_.rejected;
        return fail_with(over_limit, "{}", *reached);
    }
    const std::size_t home = std::hash<std::string_view>{}(request.call_id) % engine_.threads();
    auto call = std::make_unique<Call>(std::string(request.call_id), home, clock_.now(), wall());
    Call* made = call.get();
    made->asker = asker_;
    made->pauses = settings_.pauses;
    made->jitter_packets = settings_.jitter_buffer;
    made->measure_rtp = settings_.measure_rtp;
    made->mos_listening = settings_.mos_listening;
    made->rtcp_interval = settings_.rtcp_interval;
    calls_.emplace(made->id, std::move(call));
    ++totals_.sessions;
    return made;
}

Result<> Relay::ping(const Request&, ng::Writer& out) {
    out.pair("result", "pong");
    return {};
}

Result<> Relay::offer(const Request& request, ng::Writer& out) {
    if (request.sdp.empty()) return fail("No SDP body in message");
    if (request.call_id.empty()) return fail("No call-id in message");
    if (request.from_tag.empty()) return fail("No from-tag in message");
    if (request.fragment) {
        const auto known = call_of(request);
        if (!known) return std::unexpected(known.error());
        Party* sender = (*known)->find(request.from_tag);
        if (!sender) return fail("From-tag not found");
        return Negotiation(house(), **known, request).trickle(*sender);
    }
    auto call = call_for_offer(request);
    if (!call) return std::unexpected(call.error());
    const bool fresh = (*call)->parties.empty();
    const auto result = [&]() -> Result<> {
        const auto caller = (*call)->find_or_add(request.from_tag, wall());
        if (!caller) return std::unexpected(caller.error());
        const auto callee = callee_of(**call, **caller, request);
        if (!callee) return std::unexpected(callee.error());
        (*call)->last_signal = wall();
        (*call)->delete_at.reset();
        if (!(*caller)->dialogue && !(*callee)->dialogue) (*caller)->offered = true;
        if (!request.xmlrpc_callback.empty()) (*call)->callback = request.xmlrpc_callback;
        if (!request.metadata.empty()) (*call)->metadata = request.metadata;
        Negotiation negotiation(house(), **call, request);
        auto sdp = negotiation.offer(**caller, **callee);
        if (!sdp) return std::unexpected(sdp.error());
        recordings_.negotiated(**call, **caller, request, *sdp, true);
        music_on_hold(**caller, **callee);
        out.pair("sdp", *sdp);
        return {};
    }();
    return undo(**call, fresh, result);
}

Result<> Relay::undo(Call& call, bool fresh, Result<> result) {
    if (!result && fresh) {
        --totals_.sessions;
        ++totals_.rejected;
        calls_.erase(calls_.find(call.id));
    }
    return result;
}

// Whom an offer is for: the party of its to-tag, or of its branch, or whom the caller speaks with
// already, or somebody who has no tag yet.
Result<Party*> Relay::callee_of(Call& call, Party& caller, const Request& request) {
    if (!request.to_tag.empty()) {
        if (Party* known = call.find(request.to_tag); known && known != &caller) return known;
    } else if (!request.via_branch.empty()) {
        for (const auto& party : call.parties)
            if (party->via_branch == request.via_branch && party.get() != &caller)
                return party.get();
    } else if (caller.dialogue && !request.new_branch) {
        return caller.dialogue;
    }
    auto added = call.add(request.to_tag, wall());
    if (added) (*added)->via_branch = request.via_branch;
    return added;
}

Result<> Relay::answer(const Request& request, ng::Writer& out) {
    if (request.sdp.empty()) return fail("No SDP body in message");
    if (request.call_id.empty()) return fail("No call-id in message");
    if (request.from_tag.empty()) return fail("No from-tag in message");
    if (request.to_tag.empty()) return fail("No to-tag in message");
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    Party* caller = (*call)->find(request.from_tag);
    if (!caller) return fail("From-tag not found");
    if (request.fragment) {
        Party* sender = (*call)->find(request.to_tag);
        if (!sender) return fail("To-tag not found");
        return Negotiation(house(), **call, request).trickle(*sender);
    }
    const auto answerer = answerer_of(**call, *caller, request);
    if (!answerer) return std::unexpected(answerer.error());
    (*call)->last_signal = wall();
    Negotiation negotiation(house(), **call, request);
    auto sdp = negotiation.answer(**answerer, *caller);
    if (!sdp) return std::unexpected(sdp.error());
    (*call)->answered = true;
    recordings_.negotiated(**call, **answerer, request, *sdp, false);
    out.pair("sdp", *sdp);
    return {};
}

// Who answers: the party of the to-tag, or the one without tag that the offer was for, which has
// one now. One more that answers the same offer takes the place of the one before it, as it got the
// same ports.
Result<Party*> Relay::answerer_of(Call& call, Party& caller, const Request& request) {
    if (Party* known = call.find(request.to_tag); known && known != &caller) return known;
    Party* nameless = nullptr;
    for (const auto& party : call.parties) {
        if (!party->tag.empty() || party.get() == &caller || party->dialogue != &caller) continue;
        if (!request.via_branch.empty() && party->via_branch == request.via_branch) {
            nameless = party.get();
            break;
        }
        if (!nameless) nameless = party.get();
    }
    if (nameless) {
        nameless->tag = request.to_tag;
        return nameless;
    }
    constexpr std::size_t max_aliases = 64;  // forks of one INVITE
    Party* other = caller.dialogue;
    if (!other) return fail("To-tag not found");
    if (other->aliases.size() == max_aliases)
        return fail("{} parties have answered, and no more are taken", max_aliases);
    other->aliases.emplace_back(request.to_tag);
    return other;
}

Result<> Relay::delete_call(const Request& request, ng::Writer& out) {
    if (request.call_id.empty()) return fail("No call-id in message");
    constexpr std::string_view not_found = "Call-ID not found or tags didn't match";
    Call* call = find(request.call_id);
    Party* gone = nullptr;
    bool matches = call != nullptr;
    if (call && !request.from_tag.empty()) {
        if (!request.to_tag.empty())
            gone = call->find(request.to_tag);
        else if (!request.via_branch.empty())
            for (const auto& party : call->parties)
                if (party->via_branch == request.via_branch) gone = party.get();
        if (!gone) matches = call->find(request.from_tag) != nullptr;
    }
    if (!matches) {
        if (request.fatal) return fail("{}", not_found);
        out.pair("warning", not_found);
        return {};
    }
    if (!request.fast) report(*call, out);
    // A branch of several ends alone.
    if (gone && call->parties.size() > 2) {
        call->remove(*gone);
        call->route();
        return {};
    }
    ++totals_.regular;
    const Duration delay =
        request.delete_delay ? std::chrono::seconds(*request.delete_delay) : settings_.delete_delay;
    if (delay <= Duration::zero())
        end(*call);
    else
        call->delete_at = clock_.now() + delay;
    return {};
}

Result<> Relay::query(const Request& request, ng::Writer& out) {
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    report(**call, out);
    return {};
}

Result<> Relay::list(const Request& request, ng::Writer& out) {
    out.key("calls").list();
    std::size_t left = request.limit;
    for (const auto& [id, call] : calls_) {
        if (left-- == 0) break;
        out.string(id);
    }
    out.end();
    return {};
}

Result<> Relay::statistics(const Request&, ng::Writer& out) {
    out.key("statistics").dictionary();
    report_totals(out);
    out.end();
    return {};
}

Result<Party*> Relay::selected(Call& call, const Request& request) {
    Party* party = nullptr;
    if (!request.label.empty()) {
        party = call.find_label(request.label);
        if (!party) return fail("No monologue matching the given label");
    } else if (!request.address.empty()) {
        const auto wanted = IpAddress::parse(request.address);
        for (const auto& each : call.parties)
            for (const auto& section : each->sections)
                if (section.signalled && wanted && section.signalled->ip == *wanted)
                    party = each.get();
        if (!party) return fail("Failed to match address '{}' to any tag", request.address);
    } else if (!request.from_tag.empty()) {
        party = call.find(request.from_tag);
        if (!party) return fail("From-tag given, but no such tag exists");
    }
    return party;
}

// What goes from one party, or from all, to the one that is named, or to those of `flows`.
Result<> Relay::gate_flows(Call& call, Party* source, const Request& request,
                           bool Subscription::* which, bool on) {
    using enum Request::Flows;
    Party* listener = nullptr;
    if (!request.to_label.empty() || !request.to_tag.empty()) {
        const bool by_label = !request.to_label.empty();
        listener = by_label ? call.find_label(request.to_label) : call.find(request.to_tag);
        if (!listener && by_label) return fail("No monologue matching the given label");
        if (!listener) return fail("To-tag given, but no such tag exists");
    }
    const auto wanted = [&](const Subscription& flow) {
        return request.flows == none || request.flows == every ||
               (request.flows == offer_answer) == flow.offer_answer;
    };
    bool found = false;
    for (const auto& party : call.parties) {
        if (listener && party.get() != listener) continue;
        for (auto& flow : party->sources) {
            if ((source && flow.source != source) || !wanted(flow)) continue;
            flow.*which = on;
            found = true;
        }
    }
    if (!found && listener) return fail("No media flows between the given parties");
    call.route();
    return {};
}

// Whom a request to block or silence something names; null: everybody.
Result<Party*> Relay::gated(Call& call, const Request& request) {
    const bool directional =
        request.directional || !request.label.empty() || !request.address.empty();
    if (!directional || request.all) return nullptr;
    return selected(call, request);
}

Result<> Relay::gate(const Request& request, bool Party::* of_party, bool Call::* of_call,
                     bool Subscription::* of_flow, bool on) {
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    const auto named = gated(**call, request);
    if (!named) return std::unexpected(named.error());
    Party* const party = *named;
    const bool one_flow = party && (!request.to_tag.empty() || !request.to_label.empty());
    if (of_flow && (one_flow || request.flows != Request::Flows::none)) {
        if (auto done = gate_flows(**call, party, request, of_flow, on); !done) return done;
    } else if (party) {
        party->*of_party = on;
    } else {
        (**call).*of_call = on;
    }
    // What was asked for one party or flow goes with the whole only if that is said.
    if (request.all) {
        for (const auto& each : (*call)->parties) (*each).*of_party = on;
        auto everything = request;
        everything.to_tag = everything.to_label = {};
        if (of_flow && !on) (void)gate_flows(**call, nullptr, everything, of_flow, false);
    }
    for (const auto& each : (*call)->parties) (*call)->gate(*each);
    return {};
}

Result<> Relay::block_dtmf(const Request& request, ng::Writer&) {
    return gate_keys(request, request.key_security != KeySecurity::off);
}
Result<> Relay::unblock_dtmf(const Request& request, ng::Writer&) {
    return gate_keys(request, false);
}
// Keys may be blocked by putting something in their place, for which sound is made.
Result<> Relay::gate_keys(const Request& request, bool on) {
    const auto call = call_of(request);
    if (!call) return std::unexpected(call.error());
    const auto named = gated(**call, request);
    if (!named) return std::unexpected(named.error());
    const auto place = keys_in_place(request);
    for (const auto& party : (*call)->parties) {
        if (*named && party.get() != *named) continue;
        if (on && (*named || request.all)) party->blocked_keys = place;
        if (request.key_delay) party->key_delay = std::chrono::milliseconds(*request.key_delay);
    }
    if (on && !*named) (*call)->blocked_keys = place;
    if (auto done = gate(request, &Party::block_dtmf, &Call::block_dtmf, nullptr, on); !done)
        return done;
    (*call)->route();
    for (const auto& party : (*call)->parties) (*call)->gate(*party);
    return {};
}
Result<> Relay::block_media(const Request& request, ng::Writer&) {
    return gate(request, &Party::block_media, &Call::block_media, &Subscription::block_media, true);
}
Result<> Relay::unblock_media(const Request& request, ng::Writer&) {
    return gate(request, &Party::block_media, &Call::block_media, &Subscription::block_media,
                false);
}
Result<> Relay::silence_media(const Request& request, ng::Writer&) {
    return gate(request, &Party::silence, &Call::silence, &Subscription::silence, true);
}
Result<> Relay::unsilence_media(const Request& request, ng::Writer&) {
    return gate(request, &Party::silence, &Call::silence, &Subscription::silence, false);
}

}  // namespace strowger::relay
