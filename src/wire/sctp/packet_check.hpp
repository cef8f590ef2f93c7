#pragma once

#include "base/bytes.hpp"

namespace strowger::sctp {

/// Is this packet built as RFC 9260 section 3 wants it: chunks that fit into it, and parameters and
/// error causes that fit into their chunks?
///
/// A guard before the library, whose release in Debian 12 (usrsctp 0.9.5) never returns from an
/// INIT with a parameter of no length, when it comes to an association that is up. It also keeps
/// out chunks that were not negotiated: authentication, address changes, packet drop reports.
bool is_well_formed(Bytes packet);

}  // namespace strowger::sctp
