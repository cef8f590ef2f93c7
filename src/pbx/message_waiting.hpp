#pragma once

#include <memory>

#include "base/task.hpp"
#include "pbx/core.hpp"

namespace strowger::pbx {

/// What is waiting in a mailbox.
struct MailboxCount {
    unsigned fresh = 0;
    unsigned old = 0;
};

/// Tells one contact of an endpoint what its mailboxes hold, though it has not subscribed: a NOTIFY
/// outside any dialog whose subscription is over (message-summary, RFC 3842).
Task<> tell_of_messages(Core& core, std::shared_ptr<const config::Endpoint> endpoint,
                        Contact contact, MailboxCount count);

}  // namespace strowger::pbx
