#pragma once

#include <optional>
#include <string_view>

namespace strowger::pbx {

/// Why a call ended, as ITU-T Q.850 numbers it. Values outside the list occur and are kept.
enum class Cause : int {
    none = 0,
    unallocated = 1,
    no_route_transit = 2,
    no_route_destination = 3,
    normal_clearing = 16,
    user_busy = 17,
    no_user_response = 18,
    no_answer = 19,
    subscriber_absent = 20,
    call_rejected = 21,
    number_changed = 22,
    redirected = 23,
    answered_elsewhere = 26,
    destination_out_of_order = 27,
    invalid_number_format = 28,
    facility_rejected = 29,
    normal_unspecified = 31,
    normal_circuit_congestion = 34,
    network_out_of_order = 38,
    switch_congestion = 42,
    requested_channel_unavailable = 44,
    bearer_capability_not_available = 58,
    bearer_capability_not_implemented = 65,
    channel_not_implemented = 66,
    recovery_on_timer_expire = 102,
    interworking = 127,
};

/// The response that ends a call that was never answered; 603 for causes that name no other.
int sip_status(Cause cause);

/// What a final response of a dialled leg means.
Cause cause_of_status(int status);

/// "User busy": the text beside HANGUPCAUSE and in Reason headers; "Unknown" for unlisted values.
std::string_view text_of(Cause cause);

/// A number ("17") or a name ("BUSY", "user_busy", "NORMAL_CLEARING") as Hangup() takes it.
std::optional<Cause> parse_cause(std::string_view text);

/// The cause in `Q.850;cause=16;text="..."` (RFC 3326), if that protocol is in the header's value.
std::optional<Cause> cause_in_reason(std::string_view reason_header);
/// The status in `SIP;cause=200;text="..."`, likewise.
std::optional<int> status_in_reason(std::string_view reason_header);

}  // namespace strowger::pbx
