#pragma once

#include <string>
#include <string_view>

namespace strowger::connect {

/// Why a call failed, in the words that Connect and gRPC share; the numbers are gRPC's.
enum class Code {
    canceled = 1,
    unknown,
    invalid_argument,
    deadline_exceeded,
    not_found,
    already_exists,
    permission_denied,
    resource_exhausted,
    failed_precondition,
    aborted,
    out_of_range,
    unimplemented,
    internal,
    unavailable,
    data_loss,
    unauthenticated,
};

std::string_view name(Code code);  ///< "not_found"
int http_status(Code code);        ///< of a Connect answer

/// The body of a Connect error answer, always JSON: {"code":..,"message":..}.
std::string error_json(Code code, std::string_view message);

}  // namespace strowger::connect
