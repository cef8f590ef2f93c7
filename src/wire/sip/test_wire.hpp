#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "wire/sip/invite_session.hpp"
#include "wire/sip/transaction_layer.hpp"

namespace strowger::sip::test {

/// "INVITE" or "180 INVITE": what a ladder diagram would say.
inline std::string label(std::string_view bytes) {
    const auto message = Message::parse(bytes);
    if (!message) return "?";
    if (message->is_request()) return std::string(message->method_text());
    return fmt::format("{} {}", message->status(), message->method_text());
}

/// One end of a TestWire: a transaction layer and at most one call.
struct Phone {
    Phone(std::string phone_name, const Flow& flow, TransactionLayer::Config config,
          std::uint64_t seed)
        : name(std::move(phone_name)), to_peer(flow), random(seed), layer(config, random) {
        session_config.owner = 7;
        session_config.contact = fmt::format("<sip:{}@{}>", name, flow.local.text());
    }

    void call(Time now, std::string sdp = "v=0\r\no=offer\r\n", HeaderLines extra = {}) {
        session = std::make_unique<InviteSession>(session_config, layer, random);
        InviteSession::Invite invite;
        invite.uri = "sip:b@192.0.2.2";
        invite.from = "<sip:a@192.0.2.1>";
        invite.to = "<sip:b@192.0.2.2>";
        invite.call_id = "call-1@192.0.2.1";
        invite.sdp = std::move(sdp);
        invite.extra = std::move(extra);
        ASSERT_TRUE(session->invite(invite, to_peer, now));
    }

    template <typename Event>
    std::vector<Event> all() const {
        std::vector<Event> found;
        for (const auto& event : events) {
            if (const auto* one = std::get_if<Event>(&event)) found.push_back(*one);
        }
        return found;
    }
    template <typename Event>
    bool has() const {
        return !all<Event>().empty();
    }

    std::string name;
    Flow to_peer;
    Random random;
    TransactionLayer layer;
    InviteSession::Config session_config;
    std::unique_ptr<InviteSession> session;
    std::vector<SessionEvent> events;
    std::vector<TransactionEvent> transaction_events;  ///< those that no session took
    /// What the person at the phone does.
    std::function<void(const SessionEvent&, Time)> react = [](const SessionEvent&, Time) {};
    std::function<void(Time)> on_call = [](Time) {};
    bool takes_calls = true;
};

/// Two phones and the network between them, in virtual time. The ladder keeps every message that
/// was sent, "a INVITE" for one by phone a, whether it arrived or not.
class TestWire {
public:
    explicit TestWire(Transport transport = Transport::udp, TransactionLayer::Config config = {},
                      std::uint64_t seed = 1)
        : a("a", flow(transport, 1, 2), config, seed),
          b("b", flow(transport, 2, 1), config, seed + 100),
          chance_(seed + 200) {}

    static Flow flow(Transport transport, std::uint8_t from, std::uint8_t to) {
        return {transport,
                {IpAddress::v4({192, 0, 2, from}), 5060},
                {IpAddress::v4({192, 0, 2, to}), 5060},
                transport == Transport::udp ? 0u : 9u};
    }

    void run_until(Time end) {
        drain();
        for (;;) {
            Time next = in_flight_.empty() ? Time::max() : in_flight_.begin()->first;
            for (auto* phone : {&a, &b}) {
                next = std::min(next, phone->layer.deadline());
                if (phone->session) next = std::min(next, phone->session->deadline());
            }
            if (next > end) break;
            now = std::max(now, next);
            if (!in_flight_.empty() && in_flight_.begin()->first <= now) {
                auto packet = in_flight_.extract(in_flight_.begin()).mapped();
                packet.to->layer.receive(packet.to->to_peer, packet.bytes, now);
            }
            for (auto* phone : {&a, &b}) {
                if (phone->layer.deadline() <= now) phone->layer.tick(now);
                if (phone->session && phone->session->deadline() <= now) phone->session->tick(now);
            }
            drain();
        }
        now = end;
    }
    void run_for(Duration duration) { run_until(now + duration); }

    /// Hands everything on that both ends have to say.
    void drain() {
        for (bool moved = true; moved;) {
            moved = false;
            for (auto* phone : {&a, &b}) moved |= drain(*phone);
        }
    }

    std::size_t count(std::string_view line) const {
        return static_cast<std::size_t>(std::count(ladder.begin(), ladder.end(), line));
    }

    Time now{};
    Phone a, b;
    std::vector<std::string> ladder;
    std::vector<std::string> sent;  ///< the bytes beside `ladder`
    Duration delay = std::chrono::milliseconds{10};
    double jitter = 0;  ///< up to so many times the delay on top: reorders
    double loss = 0;
    double duplication = 0;
    /// Says true for a message that is to be lost; sees its ladder line.
    std::function<bool(const std::string&)> drop = [](const std::string&) { return false; };

private:
    struct Packet {
        Phone* to = nullptr;
        std::string bytes;
    };

    bool drain(Phone& phone) {
        bool moved = false;
        TransactionEvent event;
        while (phone.layer.poll(event)) {
            moved = true;
            take(phone, event);
        }
        SessionEvent happened;
        while (phone.session && phone.session->poll(happened)) {
            moved = true;
            phone.events.push_back(happened);
            phone.react(happened, now);
        }
        Transmit transmit;
        while (phone.layer.poll(transmit)) {
            moved = true;
            send(phone, std::move(transmit.bytes));
        }
        return moved;
    }

    void take(Phone& phone, const TransactionEvent& event) {
        const auto* request = std::get_if<RequestReceived>(&event);
        const bool new_call = request && (*request->request)->method() == Method::invite &&
                              (*request->request)->to_tag().empty();
        if (new_call && phone.takes_calls && (!phone.session || phone.session->done())) {
            phone.session =
                std::make_unique<InviteSession>(phone.session_config, phone.layer, phone.random,
                                                request->transaction, request->request, now);
            phone.on_call(now);
        } else if (phone.session) {
            phone.session->handle(event, now);
        } else {
            phone.transaction_events.push_back(event);
        }
    }

    void send(Phone& from, std::string bytes) {
        ladder.push_back(from.name + " " + label(bytes));
        sent.push_back(bytes);
        if (drop(ladder.back()) || chance_.between(0, 1) < loss) return;
        Phone* to = &from == &a ? &b : &a;
        const int copies = chance_.between(0, 1) < duplication ? 2 : 1;
        for (int i = 0; i < copies; ++i) {
            const auto extra = delay * static_cast<std::int64_t>(chance_.between(0, jitter) * 1000);
            in_flight_.emplace(now + delay + extra / 1000, Packet{to, bytes});
        }
    }

    Random chance_;
    std::multimap<Time, Packet> in_flight_;
};

}  // namespace strowger::sip::test
