#pragma once

#include <map>
#include <memory>
#include <vector>

#include "virtual_network.hpp"
#include "wire/ice/agent.hpp"
#include "wire/ice/gatherer.hpp"

namespace strowger::sim {

/// One side of an ICE session on the virtual network: an agent, its sockets, and what happened to
/// it.
class IcePeer {
public:
    IcePeer(VirtualNetwork& network, ice::Agent::Config config, std::uint64_t seed);
    ~IcePeer();
    IcePeer(const IcePeer&) = delete;

    /// A socket at this address, and a host candidate for it.
    ice::SocketId open(const SocketAddress& address, std::uint16_t component = 1);
    /// Asks a STUN server about every socket; what it says is added and told to the peer.
    void gather(const SocketAddress& server);
    /// Credentials and candidates reach the other side after `delay`; what is gathered later, too.
    void tell(IcePeer& other, Duration delay);
    void restart();
    /// A message of the owner's, to where its data goes now; false when there is nowhere.
    bool send_data(std::uint16_t component = 1);
    /// The agent, after something was said to it: sends and arms.
    void work();

    ice::Agent& agent() { return agent_; }
    const std::vector<ice::Agent::Event>& events() const { return events_; }
    std::size_t count(ice::Agent::Event::Kind kind) const;
    /// When the kind of event came first; `Time::max()`: never.
    Time when(ice::Agent::Event::Kind kind) const;
    std::size_t data_received() const { return data_received_; }
    std::size_t sent() const { return sent_; }
    std::optional<SocketAddress> address_of(ice::SocketId socket) const;

private:
    struct Open {
        SocketAddress address;
        ice::Candidate candidate;
    };
    void receive(ice::SocketId socket, const SocketAddress& from, std::string_view bytes);
    void take_gathered();
    void arm();

    VirtualNetwork& network_;
    Random random_;
    ice::Agent agent_;
    ice::Gatherer gatherer_;
    std::vector<Open> sockets_;
    std::vector<ice::Candidate>
        told_;  ///< ours, also those that come while signalling is on its way
    IcePeer* other_ = nullptr;
    Duration signalling_{};
    std::vector<ice::Agent::Event> events_;
    std::vector<Time> event_times_;
    std::size_t data_received_ = 0;
    std::size_t sent_ = 0;
    Time armed_ = Time::max();
    std::shared_ptr<bool> alive_ =
        std::make_shared<bool>(true);  ///< shared with timers that outlive us
};

}  // namespace strowger::sim
