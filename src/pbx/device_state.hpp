#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "pbx/core.hpp"

namespace strowger::pbx {

/// What a device does, in the words of DEVICE_STATE().
enum class DeviceState : std::uint8_t {
    unknown,
    not_inuse,
    inuse,
    busy,         ///< takes no further call
    invalid,      ///< there is no such device
    unavailable,  ///< cannot be reached
    ringing,
    ringinuse,  ///< in a call and another rings
    onhold,
};

std::string_view text_of(DeviceState state);  ///< "NOT_INUSE"
/// Any case; what is no state gives nothing.
std::optional<DeviceState> device_state_by_name(std::string_view text);

/// What several devices, or the legs of one, come to together: ringing shows, and in use outranks
/// idle; busy, on hold, unavailable and invalid only when none is better. None at all: unknown.
DeviceState aggregate(std::span<const DeviceState> states);

/// The family of the Store in which states of Custom: devices are kept, by name.
inline constexpr std::string_view custom_state_family = "CustomDevstate";

/// The state of "PJSIP/alice" (from its legs and contacts), "Local/100@internal" (from the dialplan
/// and the legs of that name) or "Custom:lamp" (from the Store). Names are those of the
/// configuration as it is now; others are invalid.
DeviceState state_of(const Core& core, std::string_view device);

/// The same as text, for DEVICE_STATE(); several devices are joined by '&' and aggregated.
std::string device_state(const Core& core, std::string_view devices);

}  // namespace strowger::pbx
