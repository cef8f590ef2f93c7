#pragma once

#include <string>
#include <vector>

#include "base/ini.hpp"

namespace strowger::pbx::config {

/// `type=global`: what holds for the whole SIP side.
struct Global {
    std::string user_agent = "Strowger";
    std::string default_realm = "asterisk";
    std::string default_from_user = "asterisk";
    unsigned max_forwards = 70;
    unsigned keep_alive_interval = 90;  ///< seconds, on connections
    std::vector<std::string> endpoint_identifier_order{"ip", "username", "anonymous"};
    unsigned max_initial_qualify_time = 0;
    unsigned contact_expiration_check_interval = 30;
    unsigned unidentified_request_count = 5;
    unsigned unidentified_request_period = 5;
    unsigned unidentified_request_prune_interval = 30;
    std::string debug = "no";
    bool ignore_uri_user_options = false;
    bool norefersub = true;
    bool use_callerid_contact = false;
    bool send_contact_status_on_update_registration = false;
    bool mwi_disable_initial_unsolicited = false;
    std::string regcontext;
    std::string default_voicemail_extension;
    std::string default_outbound_endpoint = "default_outbound_endpoint";
    bool disable_multi_domain = false;
    bool allow_sending_180_after_183 = false;
    bool all_codecs_on_empty_reinvite = false;
};

/// `type=system`: timers and switches of the transaction layer.
struct System {
    unsigned timer_t1 = 500;   ///< milliseconds
    unsigned timer_b = 32000;  ///< milliseconds
    bool compact_headers = false;
    bool disable_tcp_switch = true;
    bool disable_rport = false;
    bool follow_early_media_fork = true;
    bool accept_multiple_sdp_answers = false;
    unsigned threadpool_initial_size = 0;
    unsigned threadpool_auto_increment = 5;
    unsigned threadpool_idle_timeout = 60;
    unsigned threadpool_max_size = 50;
};

/// `type=domain_alias`: `name` in a From means `domain`.
struct DomainAlias {
    std::string name;
    ini::Place place;
    std::string domain;
};

}  // namespace strowger::pbx::config
