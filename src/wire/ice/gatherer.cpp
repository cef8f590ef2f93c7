#include "wire/ice/gatherer.hpp"

#include <algorithm>

#include "wire/stun/builder.hpp"

namespace strowger::ice {

bool Gatherer::ask(const Candidate& host, SocketId socket, const SocketAddress& server) {
    if (requests_.size() == max_requests) return false;
    if (!host.resolved() || host.address.ip.is_v4() != server.ip.is_v4()) return false;
    requests_.push_back({.host = host, .socket = socket, .server = server});
    ++open_;
    return true;
}

bool Gatherer::receive(const Datagram& datagram, Time) {
    if (!stun::looks_like_stun(datagram.bytes)) return false;
    const auto message = stun::Message::parse(datagram.bytes);
    if (!message || message->method() != stun::Method::binding) return false;
    const auto request = std::find_if(requests_.begin(), requests_.end(), [&](const auto& r) {
        return r.begun && r.transaction.id() == message->transaction() &&
               r.server == datagram.from && r.socket == datagram.socket;
    });
    if (request == requests_.end()) return false;
    if (request->over) return true;  // answered twice
    if (message->message_class() == stun::Class::error) {
        end(*request);
    } else if (message->message_class() == stun::Class::success) {
        if (const auto seen = message->mapped_address()) found(*request, *seen);
        end(*request);
    }
    return true;
}

// Section 5.1.3: what is the host candidate itself, or was seen before, adds nothing.
void Gatherer::found(Request& request, const SocketAddress& seen) {
    if (seen == request.host.address || seen.ip.is_v4() != request.host.address.ip.is_v4()) return;
    const bool known = std::any_of(found_.begin(), found_.end(), [&](const Candidate& other) {
        return other.address == seen && other.related == request.host.address;
    });
    if (known) return;
    auto candidate = Candidate::server_reflexive(seen, request.host, request.server.ip);
    found_.push_back(candidate);
    events_.push_back({std::move(candidate), request.socket});
}

void Gatherer::end(Request& request) {
    request.over = true;
    request.transaction.stop();
    --open_;
}

void Gatherer::tick(Time now) {
    for (auto& request : requests_) {
        if (request.over) continue;
        if (!request.begun) {
            if (now < next_) continue;
            next_ = now + config_.pacing;
            request.begun = true;
            request.transaction =
                stun::ClientTransaction(stun::TransactionId::make(random_), config_.timers, now);
        }
        while (const auto event = request.transaction.tick(now)) {
            if (*event == stun::ClientTransaction::Event::send) {
                request.to_send = true;
            } else {
                end(request);
            }
        }
    }
}

Time Gatherer::deadline() const {
    Time at = Time::max();
    for (const auto& request : requests_) {
        if (!request.over)
            at = std::min(at, request.begun ? request.transaction.deadline() : next_);
    }
    return at;
}

bool Gatherer::poll(Transmit& transmit) {
    const auto next = std::find_if(requests_.begin(), requests_.end(),
                                   [](const Request& request) { return request.to_send; });
    if (next == requests_.end()) return false;
    next->to_send = false;
    transmit.socket = next->socket;
    transmit.to = next->server;
    transmit.size = stun::Builder(transmit.buffer, stun::Class::request, stun::Method::binding,
                                  next->transaction.id())
                        .fingerprint()
                        .finish()
                        .size();
    return true;
}

bool Gatherer::poll(Event& event) {
    if (events_.empty()) return false;
    event = std::move(events_.front());
    events_.erase(events_.begin());
    return true;
}

}  // namespace strowger::ice
