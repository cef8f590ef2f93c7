#include "virtual_network.hpp"

namespace strowger::sim {

void VirtualNetwork::attach(const SocketAddress& address, Receiver receiver) {
    hosts_[address] = std::move(receiver);
}

void VirtualNetwork::add_nat(const IpAddress& outside, const std::vector<IpAddress>& inside,
                             Duration patience, NatKind kind) {
    auto* nat = nats_.emplace_back(std::make_unique<Nat>()).get();
    nat->outside = outside;
    nat->patience = patience;
    nat->kind = kind;
    in_front_[outside] = nat;
    for (const auto& host : inside) behind_[host] = nat;
}

void VirtualNetwork::at(Time when, std::move_only_function<void()> fn) {
    due_.emplace(std::max(when, now_), std::move(fn));
}

void VirtualNetwork::rebind(const IpAddress& outside) {
    const auto nat = in_front_.find(outside);
    if (nat == in_front_.end()) return;
    nat->second->mappings.clear();
    nat->second->by_port.clear();
}

void VirtualNetwork::send(SocketAddress from, const SocketAddress& to, std::string bytes) {
    ++counters_.sent;
    if (tap) tap(from, to, bytes);
    const bool local = on_one_side(from.ip, to.ip);
    if (const auto nat = behind_.find(from.ip); nat != behind_.end() && !local)
        from = leave(*nat->second, from, to);
    if (chance_.between(0, 1) < weather_.loss) {
        ++counters_.lost;
        return;
    }
    const int copies = chance_.between(0, 1) < weather_.duplication ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
        const auto travel = weather_.delay + scale(weather_.jitter, chance_.between(0, 1));
        at(now_ + travel, [this, from, to, local, bytes] { arrive(from, to, local, bytes); });
    }
}

/// Behind the same NAT, where both are known by their own addresses.
bool VirtualNetwork::on_one_side(const IpAddress& from, const IpAddress& to) const {
    const auto one = behind_.find(from);
    const auto other = behind_.find(to);
    return one != behind_.end() && other != behind_.end() && one->second == other->second;
}

SocketAddress VirtualNetwork::leave(Nat& nat, const SocketAddress& from, const SocketAddress& to) {
    const Served served{from, nat.kind == NatKind::symmetric ? to : SocketAddress{}};
    auto [found, is_new] = nat.mappings.try_emplace(served);
    auto& mapping = found->second;
    if (is_new || mapping.until < now_) {
        nat.by_port.erase(mapping.outside.port);
        mapping = {{nat.outside, nat.next_port++}, {}, {}};
        nat.by_port[mapping.outside.port] = served;
    }
    mapping.peers.insert(to);
    mapping.until = now_ + nat.patience;
    return mapping.outside;
}

/// Turns a port of the NAT into the socket behind it, if it is open to the sender.
bool VirtualNetwork::enter(Nat& nat, const SocketAddress& from, SocketAddress& to) {
    const auto served = nat.by_port.find(to.port);
    if (served == nat.by_port.end()) return false;
    const auto& mapping = nat.mappings[served->second];
    if (mapping.until < now_) return false;
    if (nat.kind != NatKind::full_cone && !mapping.peers.contains(from)) return false;
    to = served->second.inside;
    return true;
}

void VirtualNetwork::arrive(const SocketAddress& from, SocketAddress to, bool local,
                            std::string_view bytes) {
    if (const auto nat = in_front_.find(to.ip); nat != in_front_.end()) {
        if (!enter(*nat->second, from, to)) {
            ++counters_.filtered;
            return;
        }
    } else if (!local && behind_.contains(to.ip)) {
        ++counters_.nowhere;  // a private address, from outside
        return;
    }
    const auto host = hosts_.find(to);
    if (host == hosts_.end()) {
        ++counters_.nowhere;
        return;
    }
    host->second(from, bytes);
}

void VirtualNetwork::run_until(Time end) {
    while (!due_.empty() && due_.begin()->first <= end) {
        auto next = due_.extract(due_.begin());
        now_ = next.key();
        next.mapped()();
    }
    now_ = end;
}

}  // namespace strowger::sim
