#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "virtual_network.hpp"
#include "wire/sip/invite_session.hpp"
#include "wire/sip/transaction_layer.hpp"

namespace strowger::sim {

/// A host with a transaction layer and any number of call legs. Derived classes say what it is for.
class SipHost {
public:
    SipHost(VirtualNetwork& network, const SocketAddress& address, std::uint64_t seed);
    SipHost(const SipHost&) = delete;
    SipHost& operator=(const SipHost&) = delete;
    virtual ~SipHost() = default;

    const SocketAddress& address() const { return address_; }
    std::size_t transactions() const { return layer_.size(); }
    std::size_t legs() const { return legs_.size(); }
    /// Requests that came a second time.
    std::uint64_t repeated() const { return layer_.counters().retransmissions_received; }

protected:
    using LegId = sip::OwnerTag;

    /// A request outside of every leg.
    virtual void on_request(const sip::RequestReceived& received) = 0;
    /// The outcome of a request that was sent outside of every leg; null when there was none.
    virtual void on_response(const sip::ReceivedPtr& response) = 0;
    virtual void on_event(LegId leg, const sip::SessionEvent& event) = 0;

    LegId call(sip::InviteSession::Invite invite, const sip::Flow& flow, const std::string& user);
    LegId take(const sip::RequestReceived& received, const std::string& user);
    sip::InviteSession* leg(LegId id);
    /// To be called after anything was asked of a leg or of the layer outside of the functions
    /// above.
    void pump();

    sip::Flow flow_to(const SocketAddress& remote) const;
    VirtualNetwork& network() { return network_; }
    Random& random() { return random_; }
    sip::TransactionLayer& layer() { return layer_; }
    Time now() const { return network_.now(); }

private:
    sip::InviteSession::Config config(LegId id, const std::string& user) const;
    LegId keep(LegId id, std::unique_ptr<sip::InviteSession> session);
    void dispatch(const sip::TransactionEvent& event);
    sip::InviteSession* leg_of_tag(std::string_view tag);
    void arm();

    VirtualNetwork& network_;
    SocketAddress address_;
    Random random_;
    sip::TransactionLayer layer_;
    std::map<LegId, std::unique_ptr<sip::InviteSession>> legs_;
    std::unordered_map<std::string, LegId> by_tag_;
    LegId last_leg_ = 0;
    Time armed_ = Time::max();
    bool pumping_ = false;
};

}  // namespace strowger::sim
