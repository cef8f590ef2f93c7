#include "exchange.hpp"

#include <fmt/format.h>

#include "wire/sip/builder.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::sim {

using sip::HeaderId;
using sip::Method;

namespace {

constexpr sip::Authenticator::Key key{4, 2};
constexpr WallTime calendar{std::chrono::sys_seconds{std::chrono::seconds{1289690940}}};

}  // namespace

Exchange::Exchange(VirtualNetwork& network, const SocketAddress& address, std::uint64_t seed)
    : SipHost(network, address, seed), authenticator_({.realm = "strowger"}, key) {}

std::size_t Exchange::registered() {
    location_.tick(now());
    return location_.size();
}

void Exchange::answer(const sip::RequestReceived& received, int status, std::string_view lines) {
    auto builder =
        sip::Builder::response_to(received.request->message(), status, random().token(8));
    builder.lines(lines);
    (void)layer().respond(received.transaction, std::move(builder).finish(), now());
}

std::string Exchange::authenticated(const sip::RequestReceived& received) {
    const auto& message = received.request->message();
    const bool registers = message.method() == Method::register_;
    bool stale = false;
    if (const auto header =
            message.header(registers ? HeaderId::authorization : HeaderId::proxy_authorization)) {
        const auto credentials = sip::Credentials::parse(*header);
        const auto user =
            credentials ? users_.find(std::string(credentials->username)) : users_.end();
        if (user != users_.end()) {
            const auto verdict = authenticator_.verify(*credentials, message.method_text(),
                                                       sip::Secret::password(user->second), now());
            if (verdict == sip::Authenticator::Verdict::ok) return user->first;
            stale = verdict == sip::Authenticator::Verdict::stale;
        }
    }
    auto builder = sip::Builder::response_to(message, registers ? 401 : 407, random().token(8));
    for (const auto& challenge : authenticator_.challenges(now(), stale))
        builder.header(registers ? HeaderId::www_authenticate : HeaderId::proxy_authenticate,
                       challenge);
    (void)layer().respond_stateless(received.transaction, std::move(builder).finish());
    return {};
}

void Exchange::on_request(const sip::RequestReceived& received) {
    const auto method = received.request->message().method();
    if (method != Method::register_ && method != Method::invite) {
        answer(received, 405);
        return;
    }
    const auto user = authenticated(received);
    if (user.empty()) return;
    if (method == Method::register_)
        registration(received, user);
    else
        invitation(received, user);
}

void Exchange::registration(const sip::RequestReceived& received, const std::string& user) {
    const pbx::RegistrationPolicy policy{
        .max_contacts = 1, .remove_existing = true, .minimum_expiration = 30};
    location_.tick(now());
    const auto reply =
        registrar_.process(received.request->message(), user, policy, received.request->flow(),
                           now(), calendar + now().time_since_epoch());
    answer(received, reply.status, reply.headers);
}

void Exchange::invitation(const sip::RequestReceived& received, const std::string& caller) {
    location_.tick(now());
    const auto uri = sip::Uri::parse(received.request->message().request_uri());
    const auto& contacts = location_.contacts(uri ? uri->user : std::string_view());
    if (contacts.empty()) {
        answer(received, 404);
        return;
    }
    const auto from = take(received, "exchange");
    if (leg(from)->state() != sip::InviteSession::State::incoming) return;
    sip::InviteSession::Invite invite;
    invite.uri = contacts.front().uri;
    invite.from = fmt::format("<sip:{}@{}>", caller, address().ip.host_text());
    invite.to = fmt::format("<{}>", invite.uri);
    invite.sdp = leg(from)->offer();
    const auto to = call(std::move(invite), contacts.front().flow, "exchange");
    partner_[from] = to;
    partner_[to] = from;
}

sip::InviteSession* Exchange::partner(LegId id) {
    const auto found = partner_.find(id);
    return found == partner_.end() ? nullptr : leg(found->second);
}

void Exchange::part(LegId id) {
    const auto found = partner_.find(id);
    if (found == partner_.end()) return;
    partner_.erase(found->second);
    partner_.erase(id);
}

void Exchange::on_event(LegId id, const sip::SessionEvent& event) {
    auto* const other = partner(id);
    if (!other) return;
    if (const auto* progress = std::get_if<sip::session::Progress>(&event)) {
        (void)other->ring(progress->status, progress->sdp, now());
    } else if (const auto* answered = std::get_if<sip::session::Answered>(&event)) {
        (void)other->accept(answered->sdp, now());
    } else if (const auto* failed = std::get_if<sip::session::Failed>(&event)) {
        (void)other->reject(failed->status, now());
        part(id);
    } else if (std::holds_alternative<sip::session::Cancelled>(event)) {
        other->cancel({}, now());
        part(id);
    } else if (std::holds_alternative<sip::session::Ended>(event)) {
        other->bye(now());
        part(id);
    }
}

}  // namespace strowger::sim
