#include "pbx/config/acl.hpp"

#include "pbx/config/schemas.hpp"

namespace strowger::pbx::config {

bool AccessRules::allows(const IpAddress& address) const {
    bool allowed = true;
    for (const auto& rule : rules)
        if (rule.network.contains(address)) allowed = rule.permit;
    return allowed;
}

const Schema<Acl>& acl_schema() {
    static const auto schema = Schema<Acl>()
                                   .rule("permit", &Acl::access, true)
                                   .rule("deny", &Acl::access, false)
                                   .rule("contact_permit", &Acl::contact_access, true)
                                   .rule("contact_deny", &Acl::contact_access, false)
                                   .growing_list("acl", &Acl::acl)
                                   .ignore({"contact_acl"});
    return schema;
}

}  // namespace strowger::pbx::config
