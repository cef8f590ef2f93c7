#include "ice_peer.hpp"

#include <algorithm>

namespace strowger::sim {

IcePeer::IcePeer(VirtualNetwork& network, ice::Agent::Config config, std::uint64_t seed)
    : network_(network),
      random_(seed),
      agent_(
          [&] {
              if (config.local.empty()) config.local = {random_.token(8), random_.token(24)};
              return config;
          }(),
          random_),
      gatherer_({}, random_) {}

IcePeer::~IcePeer() {
    *alive_ = false;
    for (const auto& socket : sockets_) network_.detach(socket.address);
}

ice::SocketId IcePeer::open(const SocketAddress& address, std::uint16_t component) {
    const auto socket = static_cast<ice::SocketId>(sockets_.size());
    // A later address is a lesser one, so that candidates of one host have an order.
    const auto preference = static_cast<std::uint16_t>(65535 - socket);
    const auto candidate = ice::Candidate::host(address, component, preference);
    sockets_.push_back({address, candidate});
    told_.push_back(candidate);
    network_.attach(address, [this, socket](const SocketAddress& from, std::string_view bytes) {
        receive(socket, from, bytes);
    });
    (void)agent_.add_local(candidate, socket);
    return socket;
}

void IcePeer::gather(const SocketAddress& server) {
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
        gatherer_.ask(sockets_[i].candidate, static_cast<ice::SocketId>(i), server);
    }
    work();
}

void IcePeer::tell(IcePeer& other, Duration delay) {
    other_ = &other;
    signalling_ = delay;
    network_.at(network_.now() + delay, [alive = other.alive_, &other, own = agent_.local(),
                                         lite = agent_.lite(), candidates = told_] {
        if (!*alive) return;
        (void)other.agent_.set_remote(own, lite);
        for (const auto& candidate : candidates) {
            (void)other.agent_.add_remote(candidate);
        }
        other.agent_.end_of_candidates();
        other.work();
    });
}

void IcePeer::restart() {
    agent_.restart({random_.token(8), random_.token(24)});
    work();
}

bool IcePeer::send_data(std::uint16_t component) {
    const auto path = agent_.path(component);
    if (!path) return false;
    network_.send(sockets_[path->socket].address, path->remote, "\x80 data");
    return true;
}

void IcePeer::receive(ice::SocketId socket, const SocketAddress& from, std::string_view bytes) {
    const ice::Datagram datagram{socket, from, as_bytes(bytes)};
    if (!stun::looks_like_stun(datagram.bytes)) {
        ++data_received_;
        agent_.heard(1, network_.now());
    } else if (!gatherer_.receive(datagram, network_.now())) {
        agent_.receive(datagram, network_.now());
    }
    work();
}

void IcePeer::take_gathered() {
    ice::Gatherer::Event found;
    while (gatherer_.poll(found)) {
        (void)agent_.add_local(found.candidate, found.socket);
        told_.push_back(found.candidate);
        if (!other_) continue;
        network_.at(network_.now() + signalling_,
                    [alive = other_->alive_, other = other_, candidate = found.candidate] {
                        if (!*alive) return;
                        (void)other->agent_.add_remote(candidate);
                        other->work();
                    });
    }
}

void IcePeer::work() {
    const Time now = network_.now();
    agent_.tick(now);
    gatherer_.tick(now);
    take_gathered();
    ice::Transmit transmit;
    while (gatherer_.poll(transmit) || agent_.poll(transmit)) {
        ++sent_;
        network_.send(sockets_[transmit.socket].address, transmit.to,
                      std::string(as_text(transmit.bytes())));
    }
    ice::Agent::Event event;
    while (agent_.poll(event)) {
        events_.push_back(event);
        event_times_.push_back(now);
    }
    arm();
}

void IcePeer::arm() {
    const Time next = std::max(std::min(agent_.deadline(), gatherer_.deadline()), network_.now());
    if (next == Time::max() || next >= armed_) return;
    armed_ = next;
    network_.at(next, [this, alive = alive_, next] {
        if (!*alive || armed_ != next) return;
        armed_ = Time::max();
        work();
    });
}

std::size_t IcePeer::count(ice::Agent::Event::Kind kind) const {
    return static_cast<std::size_t>(std::count_if(
        events_.begin(), events_.end(), [&](const auto& event) { return event.kind == kind; }));
}

Time IcePeer::when(ice::Agent::Event::Kind kind) const {
    for (std::size_t i = 0; i < events_.size(); ++i) {
        if (events_[i].kind == kind) return event_times_[i];
    }
    return Time::max();
}

std::optional<SocketAddress> IcePeer::address_of(ice::SocketId socket) const {
    if (socket >= sockets_.size()) return std::nullopt;
    return sockets_[socket].address;
}

}  // namespace strowger::sim
