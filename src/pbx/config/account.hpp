#pragma once

#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/ini.hpp"

namespace strowger::pbx::config {

/// `type=aor`: where an endpoint is reached.
struct Aor {
    std::string name;
    ini::Place place;

    std::vector<std::string> contact;  ///< static ones; they never expire
    unsigned max_contacts = 0;         ///< 0: registration is refused with 403
    bool remove_existing = false;      ///< make room by dropping what expires soonest
    bool remove_unavailable = false;
    unsigned default_expiration = 3600;
    unsigned minimum_expiration = 60;
    unsigned maximum_expiration = 7200;
    unsigned qualify_frequency = 0;  ///< seconds between OPTIONS; 0 never
    double qualify_timeout = 3.0;    ///< seconds
    bool qualify_2xx_only = false;
    bool authenticate_qualify = false;
    std::string outbound_proxy;
    bool support_path = false;
    std::vector<std::string> mailboxes;  ///< for solicited MWI
    std::string voicemail_extension;
};

/// `type=auth`: a name and a secret.
struct Auth {
    enum class Type { userpass, md5, digest };

    std::string name;
    ini::Place place;

    Type auth_type = Type::userpass;
    std::string username;
    std::string password;
    std::string md5_cred;                      ///< MD5(user:realm:password), hex
    std::vector<std::string> password_digest;  ///< `MD5:hash`, `SHA-256:hash`
    std::string realm;                         ///< empty: the global default_realm
    unsigned nonce_lifetime = 32;              ///< seconds
    std::vector<std::string> supported_algorithms_uac;
    std::vector<std::string> supported_algorithms_uas;
};

/// `type=identify`: requests from these addresses are this endpoint's.
struct Identify {
    std::string name;
    ini::Place place;
    bool from_wizard = false;

    std::string endpoint;
    std::vector<Cidr> match;               ///< addresses and networks
    std::vector<std::string> match_names;  ///< host names, to be resolved (SRV too)
    bool srv_lookups = true;
    std::string match_header;  ///< "Header: value" or "Header: /regex/"
    std::string match_request_uri;
};

}  // namespace strowger::pbx::config
