#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/text.hpp"
#include "pbx/core.hpp"

namespace strowger::pbx {

class RegistrationClient;

/// All `type=registration` objects: the exchange as a client of other registrars (RFC 3261 section
/// 10.2).
class OutboundRegistrations {
public:
    explicit OutboundRegistrations(Core& core);
    ~OutboundRegistrations();

    /// Goes by `core.config` from now on. Those that did not change stay registered, changed ones
    /// register anew, and those that are gone are taken back.
    void configure();

    struct State {
        std::string name;
        std::string server_uri;
        std::string client_uri;
        std::string auth;  ///< names of the outbound_auth objects, or "n/a"
        std::string
            status;  ///< "Registered (exp. 3540s)", "Unregistered", "Rejected (403 Forbidden)"
        std::string detail;  ///< why it is not registered and what happens next, in words
        bool registered = false;
    };
    std::vector<State> list() const;  ///< in the order of the configuration

    /// `pjsip send register` and `unregister`. False: there is none of that name.
    bool register_now(std::string_view name);
    bool unregister(std::string_view name);

    /// Takes all registrations back; `idle` once that is answered, or was given up.
    void unregister_all();
    bool idle() const;

    /// The endpoint whose calls come with that `line` parameter in the Request-URI; empty for a
    /// token that we never gave out.
    std::string_view endpoint_of_line(std::string_view token) const;

private:
    Core& core_;
    std::vector<std::shared_ptr<RegistrationClient>> all_;      // shared with their suspended tasks
    std::vector<std::shared_ptr<RegistrationClient>> leaving_;  ///< being taken back
    std::shared_ptr<bool> alive_ =
        std::make_shared<bool>(true);  // outlived by Signalling's handler
};

}  // namespace strowger::pbx
