#pragma once

#include "pbx/dialplan/applications.hpp"

namespace strowger::pbx {

/// StatsD: a number goes to the server of statsd.conf.
void add_statsd_application(dialplan::Applications& applications);

}  // namespace strowger::pbx
