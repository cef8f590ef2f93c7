#pragma once

#include <string>
#include <vector>

#include "base/ini.hpp"

namespace strowger::pbx::config {

/// `type=registration`: we register somewhere else, as a phone would.
struct Registration {
    std::string name;
    ini::Place place;
    bool from_wizard = false;

    std::string server_uri;
    std::string client_uri;
    std::string contact_user = "s";
    std::vector<std::string> outbound_auth;
    std::string outbound_proxy;
    std::string transport;
    unsigned expiration = 3600;
    unsigned retry_interval = 60;
    unsigned max_retries = 10;  ///< 0: try once
    unsigned fatal_retry_interval = 0;
    unsigned forbidden_retry_interval = 0;
    bool auth_rejection_permanent = true;
    unsigned max_random_initial_delay = 10;  ///< seconds
    bool line = false;     ///< put a `line` parameter into the Contact and know calls by it
    std::string endpoint;  ///< whose calls those are
    bool support_path = false;
    bool support_outbound = false;
    std::string contact_header_params;
    std::string user_agent;
};

}  // namespace strowger::pbx::config
