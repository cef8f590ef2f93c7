#pragma once

#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/ini.hpp"

namespace strowger::pbx::config {

/// Ordered `deny` and `permit`: the last that matches decides, and nothing matching allows.
struct AccessRules {
    struct Rule {
        bool permit;
        Cidr network;
    };
    std::vector<Rule> rules;

    bool empty() const { return rules.empty(); }
    bool allows(const IpAddress& address) const;
};

/// `type=acl`, or a section of acl.conf.
struct Acl {
    std::string name;
    ini::Place place;
    bool named_only = false;  ///< of acl.conf: counts where it is named, not for everybody
    AccessRules access;
    AccessRules contact_access;
    std::vector<std::string> acl;  ///< further named lists
};

}  // namespace strowger::pbx::config
