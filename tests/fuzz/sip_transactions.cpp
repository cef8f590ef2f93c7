// Two phones with a hostile wire between them: the input is a script that loses, doubles, delays
// and rewrites their messages, injects others, and makes their owners do things at bad moments.
// Whatever it does, once both have hung up and time has passed nothing may be left in either of
// them.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "wire/sip/invite_session.hpp"

namespace {

using namespace strowger;
using namespace strowger::sip;
using namespace std::chrono_literals;

constexpr std::size_t max_on_wire = 64;

class Script {
public:
    Script(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    bool empty() const { return at_ >= size_; }
    std::uint8_t byte() { return empty() ? 0 : data_[at_++]; }
    std::size_t number() { return std::size_t{byte()} << 8 | byte(); }
    std::string text(std::size_t length) {
        length = std::min(length, size_ - std::min(at_, size_));
        std::string piece(reinterpret_cast<const char*>(data_) + at_, length);
        at_ += length;
        return piece;
    }

private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t at_ = 0;
};

struct Phone {
    Phone(Flow to_peer, std::uint64_t seed, InviteSession::Config config)
        : flow(to_peer), random(seed), layer({.max_transactions = 100}, random), settings(config) {}

    void take(const TransactionEvent& event, Time now) {
        const auto* request = std::get_if<RequestReceived>(&event);
        const bool is_call = request && (*request->request)->method() == Method::invite &&
                             (*request->request)->to_tag().empty();
        if (is_call && !session) {
            session = std::make_unique<InviteSession>(settings, layer, random, request->transaction,
                                                      request->request, now);
            if (closing) session->bye(now);
        } else if (request && (*request->request)->to_tag() != tag()) {
            layer.respond_stateless(
                request->transaction,
                Builder::response_to(request->request->message(), 481, "x").finish());
        } else if (session) {
            session->handle(event, now);
        }
    }
    std::string_view tag() const {
        return session ? std::string_view{session->local_tag()} : "none";
    }

    void react(const SessionEvent& event, Time now) {
        if (const auto* asked = std::get_if<session::AuthenticationRequired>(&event)) {
            if (asked->attempt > 2) return session->give_up(asked->request, now);
            (void)session->authenticate(asked->request, HeaderId::authorization, "Digest x=y", now);
        } else if (const auto* arrived = std::get_if<session::RequestArrived>(&event)) {
            session->answer(*arrived, 200, now);
        }
    }

    /// Something that the owner might do, wise or not.
    void act(Script& script, Time now) {
        if (!session) return;
        const auto sdp = script.text(script.byte() % 8);
        switch (script.byte() % 12) {
            case 0: (void)session->ring(100 + script.byte() % 100, sdp, now); break;
            case 1: (void)session->accept(sdp, now); break;
            case 2: (void)session->reject(300 + script.byte(), now); break;
            case 3: session->bye(now); break;
            case 4: session->cancel({}, now); break;
            case 5: (void)session->reinvite(sdp, now); break;
            case 6: (void)session->update(sdp, now); break;
            case 7: (void)session->accept_offer(sdp, now); break;
            case 8: session->reject_offer(488, now); break;
            case 9: (void)session->request(Method::info, now, {}, sdp, "text/plain"); break;
            case 10: layer.transport_failed(flow.id); break;
            default: (void)session->request(Method::refer, now, {{"Refer-To", sdp}}); break;
        }
    }

    Flow flow;
    Random random;
    TransactionLayer layer;
    InviteSession::Config settings;
    std::unique_ptr<InviteSession> session;
    bool closing = false;  ///< the script is over: a call that comes late is hung up
};

struct Wire {
    struct Packet {
        Phone* to;
        std::string bytes;
    };

    explicit Wire(bool stream, InviteSession::Config a_config, InviteSession::Config b_config)
        : a(flow(stream, 1, 2), 1, std::move(a_config)),
          b(flow(stream, 2, 1), 2, std::move(b_config)) {}

    static Flow flow(bool stream, std::uint8_t from, std::uint8_t to) {
        return {stream ? Transport::tcp : Transport::udp,
                {IpAddress::v4({192, 0, 2, from}), 5060},
                {IpAddress::v4({192, 0, 2, to}), 5060},
                stream ? 3u : 0u};
    }

    void drain() {
        for (auto* phone : {&a, &b}) {
            TransactionEvent event;
            while (phone->layer.poll(event)) phone->take(event, now);
            SessionEvent happened;
            while (phone->session && phone->session->poll(happened)) phone->react(happened, now);
            Transmit transmit;
            while (phone->layer.poll(transmit)) {
                if (packets.size() >= max_on_wire) continue;
                packets.push_back({phone == &a ? &b : &a, std::move(transmit.bytes)});
            }
        }
    }

    void deliver(const Packet& packet) {
        packet.to->layer.receive(packet.to->flow, packet.bytes, now);
        drain();
    }

    Time deadline() const {
        Time next = Time::max();
        for (const auto* phone : {&a, &b}) {
            next = std::min(next, phone->layer.deadline());
            if (phone->session) next = std::min(next, phone->session->deadline());
        }
        return next;
    }

    void advance() {
        const Time next = deadline();
        if (next == Time::max()) return;
        now = std::max(now, next);
        for (auto* phone : {&a, &b}) {
            phone->layer.tick(now);
            if (phone->session) phone->session->tick(now);
            if (phone->session && phone->session->deadline() <= now) std::abort();  // would spin
        }
        drain();
    }

    /// Does to the next message on the wire what the script says.
    void step(Script& script) {
        const auto what = script.byte() % 12;
        if (what == 0) return advance();
        if (what == 1) return a.act(script, now), drain();
        if (what == 2) return b.act(script, now), drain();
        if (what == 3) {
            Phone* to = script.byte() % 2 ? &a : &b;
            return deliver({to, script.text(script.number())});
        }
        if (packets.empty()) return advance();
        Packet packet = std::move(packets.front());
        packets.pop_front();
        switch (what) {
            case 4: return;                                       // lost
            case 5: packets.push_back(packet); break;             // doubled
            case 6: return packets.push_back(std::move(packet));  // overtaken
            case 7: rewrite(packet.bytes, script); break;
            case 8: insert(packet.bytes, script); break;
            default: break;
        }
        deliver(packet);
    }

    static void rewrite(std::string& bytes, Script& script) {
        const auto at = script.number() % bytes.size();
        const auto piece = script.text(1 + script.byte() % 16);
        bytes.replace(at, piece.size(), piece);
    }
    /// A header line of the script's, so that the interesting ones are easy to reach.
    static void insert(std::string& bytes, Script& script) {
        static constexpr std::string_view names[] = {
            "Require: 100rel",  "RSeq: ",        "Session-Expires: ",
            "Min-SE: ",         "Contact: ",     "Record-Route: ",
            "Supported: timer", "Allow: UPDATE", "Content-Type: ",
            "RAck: ",           "To: ",          "Retry-After: "};
        const auto line_end = bytes.find("\r\n");
        if (line_end == std::string::npos) return;
        std::string line{names[script.byte() % std::size(names)]};
        line += script.text(script.byte() % 32) + "\r\n";
        bytes.insert(line_end + 2, line);
    }

    Time now{};
    Phone a, b;
    std::deque<Packet> packets;
};

InviteSession::Config config(Script& script, std::string contact) {
    InviteSession::Config settings;
    settings.owner = 1;
    settings.contact = std::move(contact);
    settings.symmetric = script.byte() % 2 == 0;
    settings.reliability = static_cast<InviteSession::Reliability>(script.byte() % 3);
    settings.timer.mode = static_cast<SessionTimer::Mode>(script.byte() % 4);
    settings.timer.interval = std::chrono::seconds{90 + script.byte()};
    return settings;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Script script(data, size);
    const bool stream = script.byte() % 2 != 0;
    auto a_config = config(script, "<sip:a@192.0.2.1>");
    auto b_config = config(script, "<sip:b@192.0.2.2>");
    Wire wire(stream, std::move(a_config), std::move(b_config));
    wire.a.session = std::make_unique<InviteSession>(wire.a.settings, wire.a.layer, wire.a.random);
    (void)wire.a.session->invite({"sip:b@192.0.2.2",
                                  "<sip:a@192.0.2.1>",
                                  "<sip:b@192.0.2.2>",
                                  "call-1",
                                  script.byte() % 2 ? "v=0" : "",
                                  {}},
                                 wire.a.flow, wire.now);
    wire.drain();
    while (!script.empty()) wire.step(script);
    // From here on the wire is good. Everybody hangs up, and ten minutes pass.
    const Time end = wire.now + 10min;
    for (auto* phone : {&wire.a, &wire.b}) {
        phone->closing = true;
        if (phone->session) phone->session->bye(wire.now);
    }
    wire.drain();
    while (!wire.packets.empty() || wire.deadline() <= end) {
        if (wire.packets.empty()) {
            wire.advance();
            continue;
        }
        const auto packet = std::move(wire.packets.front());
        wire.packets.pop_front();
        wire.deliver(packet);
    }
    for (auto* phone : {&wire.a, &wire.b}) {
        if (phone->session && !phone->session->done()) std::abort();
        if (phone->layer.size() != 0) std::abort();
    }
    return 0;
}
