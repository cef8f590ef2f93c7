#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/address.hpp"
#include "base/random.hpp"
#include "base/time.hpp"

namespace strowger::sim {

/// What a NAT gives away of a socket behind it (RFC 4787 sections 4 and 5).
enum class NatKind : std::uint8_t {
    full_cone,        ///< one port for all destinations, open to everybody
    port_restricted,  ///< one port for all destinations, open to those that it has sent to
    symmetric,        ///< a port a destination, open to that alone
};

/// Hosts that send each other datagrams in virtual time, through weather and through NATs.
///
/// Nothing happens but in `run_until`, in the order of time; what happens at one time, in the order
/// in which it was asked for. Seeded alike, it goes alike.
class VirtualNetwork {
public:
    struct Weather {
        Duration delay = std::chrono::milliseconds{20};  ///< each way
        Duration jitter{};                               ///< up to so much on top: reorders
        double loss = 0;
        double duplication = 0;
    };
    using Receiver = std::function<void(const SocketAddress& from, std::string_view bytes)>;

    VirtualNetwork(Weather weather, std::uint64_t seed) : weather_(weather), chance_(seed) {}

    Time now() const { return now_; }
    void attach(const SocketAddress& address, Receiver receiver);
    /// Nobody listens there any more.
    void detach(const SocketAddress& address) { hosts_.erase(address); }
    void set_weather(const Weather& weather) { weather_ = weather; }
    /// Hosts `inside` are seen as ports of `outside`, and see each other as they are; without
    /// traffic from inside a port is forgotten after `patience`.
    void add_nat(const IpAddress& outside, const std::vector<IpAddress>& inside, Duration patience,
                 NatKind kind = NatKind::port_restricted);
    /// The NAT forgets all its mappings, as when it is restarted: its hosts come from other ports
    /// from then on, and nobody outside reaches them until they have sent.
    void rebind(const IpAddress& outside);
    void send(SocketAddress from, const SocketAddress& to, std::string bytes);
    void at(Time when, std::move_only_function<void()> fn);
    void run_until(Time end);

    struct Counters {
        std::size_t sent = 0;
        std::size_t lost = 0;      ///< by the weather
        std::size_t filtered = 0;  ///< by a NAT
        std::size_t nowhere = 0;   ///< to an address that nobody has
    };
    const Counters& counters() const { return counters_; }

    /// Shown each datagram as it is sent, to whoever listens in on the wire.
    std::function<void(const SocketAddress& from, const SocketAddress& to, std::string_view)> tap;

private:
    struct Mapping {
        SocketAddress outside;
        std::set<SocketAddress> peers;
        Time until;
    };
    /// Whom a port serves: a socket inside and, on a symmetric NAT, the one destination.
    struct Served {
        SocketAddress inside;
        SocketAddress destination;
        auto operator<=>(const Served&) const = default;
    };
    struct Nat {
        IpAddress outside;
        Duration patience;
        NatKind kind;
        std::uint16_t next_port = 40000;
        std::map<Served, Mapping> mappings;
        std::map<std::uint16_t, Served> by_port;
    };

    SocketAddress leave(Nat& nat, const SocketAddress& from, const SocketAddress& to);
    bool enter(Nat& nat, const SocketAddress& from, SocketAddress& to);
    bool on_one_side(const IpAddress& from, const IpAddress& to) const;
    void arrive(const SocketAddress& from, SocketAddress to, bool local, std::string_view bytes);

    Weather weather_;
    Random chance_;
    Time now_{};
    std::multimap<Time, std::move_only_function<void()>> due_;
    std::unordered_map<SocketAddress, Receiver> hosts_;
    std::vector<std::unique_ptr<Nat>> nats_;
    std::unordered_map<IpAddress, Nat*> behind_, in_front_;
    Counters counters_;
};

}  // namespace strowger::sim
