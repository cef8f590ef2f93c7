#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pbx/device_state.hpp"
#include "pbx/personal_presence.hpp"

namespace strowger::pbx {

/// What subscribers of an extension's state are sent. `entity` is the URI that was subscribed to,
/// and may hold anything: it is escaped.

/// application/dialog-info+xml (RFC 4235). `version` counts from 0 within a subscription.
std::string dialog_info(std::string_view entity, DeviceState state, std::uint32_t version);

/// application/pidf+xml (RFC 3863), the activity in RPID (RFC 4480) and as a note; and what the
/// person says of himself (RFC 4479).
std::string pidf(std::string_view entity, DeviceState state, const PersonalPresence& says = {});

/// application/xpidf+xml, of before the RFCs, which some phones still ask for.
std::string xpidf(std::string_view entity, DeviceState state);

/// application/simple-message-summary (RFC 3842).
std::string message_summary(std::string_view account, unsigned fresh, unsigned old);

/// Text as XML content or attribute value; what XML 1.0 cannot hold becomes '?'.
std::string xml_escape(std::string_view text);

}  // namespace strowger::pbx
