#pragma once

#include "pbx/config/account.hpp"
#include "pbx/config/acl.hpp"
#include "pbx/config/endpoint.hpp"
#include "pbx/config/global.hpp"
#include "pbx/config/option.hpp"
#include "pbx/config/registration.hpp"
#include "pbx/config/transport.hpp"

namespace strowger::pbx::config {

/// The options of each kind of object in pjsip.conf.
const Schema<Transport>& transport_schema();
const Schema<Endpoint>& endpoint_schema();
const Schema<Aor>& aor_schema();
const Schema<Auth>& auth_schema();
const Schema<Identify>& identify_schema();
const Schema<Registration>& registration_schema();
const Schema<Acl>& acl_schema();
const Schema<Global>& global_schema();
const Schema<System>& system_schema();
const Schema<DomainAlias>& domain_alias_schema();

/// What follows from an endpoint's options taken together: webrtc=yes stands for several.
void complete(Endpoint& endpoint);

}  // namespace strowger::pbx::config
