#include "sip_host.hpp"

#include <fmt/format.h>

#include "wire/sip/builder.hpp"

namespace strowger::sim {

SipHost::SipHost(VirtualNetwork& network, const SocketAddress& address, std::uint64_t seed)
    : network_(network), address_(address), random_(seed), layer_({}, random_) {
    network.attach(address, [this](const SocketAddress& from, std::string_view bytes) {
        layer_.receive(flow_to(from), bytes, now());
        pump();
    });
}

sip::Flow SipHost::flow_to(const SocketAddress& remote) const {
    return {sip::Transport::udp, address_, remote, 1};
}

sip::InviteSession::Config SipHost::config(LegId id, const std::string& user) const {
    sip::InviteSession::Config config;
    config.owner = id;
    config.contact = fmt::format("<sip:{}@{}>", user, address_.text());
    config.timer.mode = sip::SessionTimer::Mode::request;
    return config;
}

SipHost::LegId SipHost::keep(LegId id, std::unique_ptr<sip::InviteSession> session) {
    by_tag_[session->local_tag()] = id;
    legs_[id] = std::move(session);
    return id;
}

SipHost::LegId SipHost::call(sip::InviteSession::Invite invite, const sip::Flow& flow,
                             const std::string& user) {
    const auto id = ++last_leg_;
    auto session = std::make_unique<sip::InviteSession>(config(id, user), layer_, random_);
    if (!session->invite(std::move(invite), flow, now())) return 0;
    return keep(id, std::move(session));
}

SipHost::LegId SipHost::take(const sip::RequestReceived& received, const std::string& user) {
    const auto id = ++last_leg_;
    return keep(
        id, std::make_unique<sip::InviteSession>(config(id, user), layer_, random_,
                                                 received.transaction, received.request, now()));
}

sip::InviteSession* SipHost::leg(LegId id) {
    const auto found = legs_.find(id);
    return found == legs_.end() ? nullptr : found->second.get();
}

sip::InviteSession* SipHost::leg_of_tag(std::string_view tag) {
    const auto found = by_tag_.find(std::string(tag));
    return found == by_tag_.end() ? nullptr : leg(found->second);
}

void SipHost::dispatch(const sip::TransactionEvent& event) {
    if (const auto* request = std::get_if<sip::RequestReceived>(&event)) {
        const auto& message = request->request->message();
        if (message.to_tag().empty())
            on_request(*request);
        else if (auto* session = leg_of_tag(message.to_tag()))
            session->handle(event, now());
        else
            layer_.respond_stateless(
                request->transaction,
                sip::Builder::response_to(message, 481, random_.token(8)).finish());
        return;
    }
    if (const auto* ack = std::get_if<sip::AckReceived>(&event)) {
        if (auto* session = leg_of_tag(ack->ack->message().to_tag())) session->handle(event, now());
        return;
    }
    const auto owner = std::visit(
        [](const auto& e) {
            if constexpr (requires { e.owner; })
                return e.owner;
            else
                return sip::OwnerTag{};
        },
        event);
    if (auto* session = leg(owner))
        session->handle(event, now());
    else if (const auto* response = std::get_if<sip::ResponseReceived>(&event);
             response && owner == 0)
        on_response(response->response);
    else if (std::holds_alternative<sip::ClientTimeout>(event) && owner == 0)
        on_response(nullptr);
}

void SipHost::pump() {
    if (pumping_) return;
    pumping_ = true;
    for (bool moved = true; moved;) {
        moved = false;
        for (sip::TransactionEvent event; layer_.poll(event); moved = true) dispatch(event);
        for (auto at = legs_.begin(); at != legs_.end();) {
            const auto id = at->first;
            for (sip::SessionEvent event; at->second->poll(event); moved = true)
                on_event(id, event);
            if (!at->second->done()) {
                ++at;
                continue;
            }
            by_tag_.erase(at->second->local_tag());
            at = legs_.erase(at);
        }
        for (sip::Transmit transmit; layer_.poll(transmit); moved = true)
            network_.send(address_, transmit.flow.remote, std::move(transmit.bytes));
    }
    pumping_ = false;
    arm();
}

void SipHost::arm() {
    Time next = layer_.deadline();
    for (const auto& [id, session] : legs_) next = std::min(next, session->deadline());
    if (next >= armed_) return;  // what was set before comes sooner, and looks again
    armed_ = next;
    network_.at(next, [this, next] {
        if (armed_ == next) armed_ = Time::max();
        if (layer_.deadline() <= now()) layer_.tick(now());
        for (const auto& [id, session] : legs_)
            if (session->deadline() <= now()) session->tick(now());
        pump();
    });
}

}  // namespace strowger::sim
