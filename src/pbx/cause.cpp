#include "pbx/cause.hpp"

#include <array>

#include "base/text.hpp"

namespace strowger::pbx {

namespace {

struct Entry {
    Cause cause;
    int status;  // 0: no response of its own
    std::string_view name;
    std::string_view text;
};

constexpr std::array entries{
    Entry{Cause::unallocated, 404, "UNALLOCATED", "Unallocated (unassigned) number"},
    Entry{Cause::no_route_transit, 404, "NO_ROUTE_TRANSIT_NET",
          "No route to specified transit network"},
    Entry{Cause::no_route_destination, 404, "NO_ROUTE_DESTINATION", "No route to destination"},
    Entry{Cause::normal_clearing, 0, "NORMAL_CLEARING", "Normal Clearing"},
    Entry{Cause::user_busy, 486, "USER_BUSY", "User busy"},
    Entry{Cause::no_user_response, 408, "NO_USER_RESPONSE", "No user responding"},
    Entry{Cause::no_answer, 480, "NO_ANSWER", "User alerting, no answer"},
    Entry{Cause::subscriber_absent, 480, "SUBSCRIBER_ABSENT", "Subscriber absent"},
    Entry{Cause::call_rejected, 403, "CALL_REJECTED", "Call Rejected"},
    Entry{Cause::number_changed, 410, "NUMBER_CHANGED", "Number changed"},
    Entry{Cause::redirected, 302, "REDIRECTED_TO_NEW_DESTINATION", "Redirected to new destination"},
    Entry{Cause::answered_elsewhere, 0, "ANSWERED_ELSEWHERE", "Answered elsewhere"},
    Entry{Cause::destination_out_of_order, 502, "DESTINATION_OUT_OF_ORDER",
          "Destination out of order"},
    Entry{Cause::invalid_number_format, 484, "INVALID_NUMBER_FORMAT", "Invalid number format"},
    Entry{Cause::facility_rejected, 501, "FACILITY_REJECTED", "Facility rejected"},
    Entry{Cause::normal_unspecified, 480, "NORMAL_UNSPECIFIED", "Normal, unspecified"},
    Entry{Cause::normal_circuit_congestion, 503, "NORMAL_CIRCUIT_CONGESTION",
          "Circuit/channel congestion"},
    Entry{Cause::network_out_of_order, 500, "NETWORK_OUT_OF_ORDER", "Network out of order"},
    Entry{Cause::switch_congestion, 503, "SWITCH_CONGESTION", "Switching equipment congestion"},
    Entry{Cause::requested_channel_unavailable, 503, "REQUESTED_CHAN_UNAVAIL",
          "Requested channel not available"},
    Entry{Cause::bearer_capability_not_available, 488, "BEARERCAPABILITY_NOTAVAIL",
          "Bearer capability not available"},
    Entry{Cause::bearer_capability_not_implemented, 488, "BEARERCAPABILITY_NOTIMPL",
          "Bearer capability not implemented"},
    Entry{Cause::channel_not_implemented, 503, "CHAN_NOT_IMPLEMENTED", "Channel not implemented"},
    Entry{Cause::recovery_on_timer_expire, 504, "RECOVERY_ON_TIMER_EXPIRE",
          "Recover on timer expiry"},
    Entry{Cause::interworking, 500, "INTERWORKING", "Interworking, unspecified"},
};

const Entry* find(Cause cause) {
    for (const auto& entry : entries)
        if (entry.cause == cause) return &entry;
    return nullptr;
}

// Of the values of one header, the cause that this protocol gives.
std::optional<int> number_in_reason(std::string_view header, std::string_view protocol) {
    for (const auto value : split(header, ',')) {
        const auto parts = split(value, ';');
        if (!iequals(trim(parts.front()), protocol)) continue;
        for (const auto part : parts) {
            const auto [name, number] = split_once(part, '=');
            if (!iequals(trim(name), "cause")) continue;
            if (const auto cause = parse_number<int>(trim(number))) return cause;
        }
    }
    return std::nullopt;
}

}  // namespace

int sip_status(Cause cause) {
    const auto entry = find(cause);
    return entry && entry->status ? entry->status : 603;
}

Cause cause_of_status(int status) {
    switch (status) {
        case 302: return Cause::redirected;
        case 401:
        case 403:
        case 407:
        case 603: return Cause::call_rejected;
        case 404:
        case 485:
        case 604: return Cause::unallocated;
        case 408: return Cause::no_user_response;
        case 410: return Cause::number_changed;
        case 480:
        case 483: return Cause::no_answer;
        case 484: return Cause::invalid_number_format;
        case 486:
        case 600: return Cause::user_busy;
        case 488:
        case 606: return Cause::bearer_capability_not_available;
        case 500: return Cause::network_out_of_order;
        case 501: return Cause::facility_rejected;
        case 502: return Cause::destination_out_of_order;
        case 503: return Cause::normal_circuit_congestion;
        case 504: return Cause::recovery_on_timer_expire;
        default: break;
    }
    if (status >= 400 && status < 500) return Cause::interworking;
    if (status >= 500 && status < 600) return Cause::normal_circuit_congestion;
    if (status >= 600) return Cause::interworking;
    return Cause::normal_clearing;
}

std::string_view text_of(Cause cause) {
    const auto entry = find(cause);
    return entry ? entry->text : "Unknown";
}

std::optional<Cause> parse_cause(std::string_view text) {
    text = trim(text);
    if (const auto number = parse_number<int>(text)) {
        if (*number < 0 || *number > 127) return std::nullopt;
        return static_cast<Cause>(*number);
    }
    if (istarts_with(text, "AST_CAUSE_")) text.remove_prefix(10);
    for (const auto& entry : entries)
        if (iequals(text, entry.name)) return entry.cause;
    static constexpr std::array<std::pair<std::string_view, Cause>, 6> short_names{{
        {"BUSY", Cause::user_busy},
        {"FAILURE", Cause::network_out_of_order},
        {"NORMAL", Cause::normal_clearing},
        {"NOANSWER", Cause::no_answer},
        {"CONGESTION", Cause::normal_circuit_congestion},
        {"UNREGISTERED", Cause::subscriber_absent},
    }};
    for (const auto& [name, cause] : short_names)
        if (iequals(text, name)) return cause;
    return std::nullopt;
}

std::optional<Cause> cause_in_reason(std::string_view reason_header) {
    const auto cause = number_in_reason(reason_header, "Q.850");
    if (!cause || *cause <= 0 || *cause > 127) return std::nullopt;
    return static_cast<Cause>(*cause);
}

std::optional<int> status_in_reason(std::string_view reason_header) {
    const auto status = number_in_reason(reason_header, "SIP");
    if (!status || *status < 200 || *status > 699) return std::nullopt;
    return status;
}

}  // namespace strowger::pbx
