#pragma once

#include <map>
#include <string>

#include "pbx/location.hpp"
#include "pbx/registrar.hpp"
#include "sip_host.hpp"
#include "wire/sip/authenticator.hpp"

namespace strowger::sim {

/// The smallest exchange: the real registrar and the real machines, and two legs for each call.
class Exchange final : public SipHost {
public:
    Exchange(VirtualNetwork& network, const SocketAddress& address, std::uint64_t seed);

    void add_user(const std::string& user, const std::string& password) { users_[user] = password; }
    std::size_t registered();
    std::size_t calls() const { return partner_.size() / 2; }

private:
    void on_request(const sip::RequestReceived& received) override;
    void on_response(const sip::ReceivedPtr&) override {}
    void on_event(LegId id, const sip::SessionEvent& event) override;
    void registration(const sip::RequestReceived& received, const std::string& user);
    void invitation(const sip::RequestReceived& received, const std::string& user);
    /// Who it is, or empty: then it has been challenged.
    std::string authenticated(const sip::RequestReceived& received);
    void answer(const sip::RequestReceived& received, int status, std::string_view lines = {});
    sip::InviteSession* partner(LegId id);
    void part(LegId id);

    pbx::Location location_;
    pbx::Registrar registrar_{location_};
    sip::Authenticator authenticator_;
    std::map<std::string, std::string> users_;
    std::map<LegId, LegId> partner_;
};

}  // namespace strowger::sim
