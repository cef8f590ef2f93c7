#pragma once

#include <string>
#include <vector>

namespace strowger::pbx::config {

/// followme.conf: where one person may be found.
struct FollowMe {
    struct Step {
        std::vector<std::string> numbers;  ///< rung at once
        unsigned timeout = 25;             ///< seconds
        unsigned order = 0;
    };

    std::string name;
    std::string musicclass = "default";
    std::string context = "default";  ///< where the numbers are
    std::string takecall = "1";
    std::string declinecall = "2";
    std::string call_from_prompt = "followme/call-from";
    std::string norecording_prompt = "followme/no-recording";
    std::string options_prompt = "followme/options";
    std::string pls_hold_prompt = "followme/pls-hold-while-try";
    std::string status_prompt = "followme/status";
    std::string sorry_prompt = "followme/sorry";
    std::string connected_prompt;
    bool enable_callee_prompt = true;
    unsigned featuredigittimeout = 5000;  ///< milliseconds, for the answer to the question
    std::vector<Step> steps;              ///< in the order of trying

    static constexpr std::size_t max_steps = 100;
    static constexpr std::size_t max_numbers = 64;  ///< rung at once
};

}  // namespace strowger::pbx::config
