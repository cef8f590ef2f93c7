#include "virtual_network.hpp"

namespace strowger::sim {

void VirtualNetwork::attach(const SocketAddress& address, Receiver receiver) {
    hosts_[address] = std::move(receiver);
}

void VirtualNetwork::add_nat(const IpAddress& outside, const std::vector<IpAddress>& inside,
                             Duration patience) {
    auto* nat = nats_.emplace_back(std::make_unique<Nat>()).get();
    nat->outside = outside;
    nat->patience = patience;
    in_front_[outside] = nat;
    for (const auto& host : inside) behind_[host] = nat;
}

void VirtualNetwork::at(Time when, std::move_only_function<void()> fn) {
    due_.emplace(std::max(when, now_), std::move(fn));
}

void VirtualNetwork::send(SocketAddress from, const SocketAddress& to, std::string bytes) {
    ++counters_.sent;
    if (const auto nat = behind_.find(from.ip); nat != behind_.end())
        from = leave(*nat->second, from, to);
    if (chance_.between(0, 1) < weather_.loss) {
        ++counters_.lost;
        return;
    }
    const int copies = chance_.between(0, 1) < weather_.duplication ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
        const auto travel = weather_.delay + scale(weather_.jitter, chance_.between(0, 1));
        at(now_ + travel, [this, from, to, bytes] { arrive(from, to, bytes); });
    }
}

SocketAddress VirtualNetwork::leave(Nat& nat, const SocketAddress& from, const SocketAddress& to) {
    auto [found, is_new] = nat.by_inside.try_emplace(from);
    auto& mapping = found->second;
    if (is_new || mapping.until < now_) {
        nat.by_port.erase(mapping.outside.port);
        mapping = {{nat.outside, nat.next_port++}, {}, {}};
        nat.by_port[mapping.outside.port] = from;
    }
    mapping.peers.insert(to);
    mapping.until = now_ + nat.patience;
    return mapping.outside;
}

void VirtualNetwork::arrive(const SocketAddress& from, SocketAddress to, std::string_view bytes) {
    if (const auto nat = in_front_.find(to.ip); nat != in_front_.end()) {
        const auto inside = nat->second->by_port.find(to.port);
        const auto* mapping = inside == nat->second->by_port.end()
                                  ? nullptr
                                  : &nat->second->by_inside[inside->second];
        if (!mapping || mapping->until < now_ || !mapping->peers.contains(from)) {
            ++counters_.filtered;
            return;
        }
        to = inside->second;
    } else if (behind_.contains(to.ip)) {
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
