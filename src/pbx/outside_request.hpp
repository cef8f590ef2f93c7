#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/task.hpp"
#include "pbx/core.hpp"
#include "wire/sip/header_line.hpp"
#include "wire/sip/received.hpp"

namespace strowger::pbx {

/// A request of ours outside any dialog: MESSAGE, NOTIFY.
struct OutsideRequest {
    std::string method;
    std::string uri;
    sip::Flow flow;
    std::vector<sip::Flow> others = {};  ///< to be tried next when that one fails
    std::vector<std::string> route = {};
    std::string from;  ///< name-addr without tag
    std::string to;
    sip::HeaderLines extra = {};
    std::string body = {};
    std::string content_type = {};
    std::vector<std::string> auths = {};  ///< credentials, should it be challenged
};

/// Sends it and waits for the final response, answering one challenge. Code 408: nobody answered.
Task<Result<sip::ReceivedPtr>> send_outside_dialog(Core& core, OutsideRequest request);

}  // namespace strowger::pbx
