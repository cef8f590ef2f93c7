#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace strowger::pbx {

/// A call that somebody asks for by a file in the outgoing spool: `Key: value` lines, comments from
/// `#` or `;` on.
struct CallFile {
    std::string channel;                   ///< "PJSIP/alice"
    std::string application, data;         ///< or
    std::string context, extension = "s";  ///< what runs when it is answered
    int priority = 1;
    std::string caller_number, caller_name;  ///< Callerid: "Name" <number>
    std::string account;
    std::vector<std::pair<std::string, std::string>> variables;  ///< Set and Setvar
    unsigned max_retries = 0;                                    ///< after the first attempt
    Duration retry_time = std::chrono::minutes{5};
    Duration wait_time = std::chrono::seconds{45};
    bool archive = false;       ///< kept in outgoing_done afterwards
    bool always_delete = true;  ///< no: kept when its time was set to the future meanwhile
    unsigned attempts = 0;      ///< made so far: its StartRetry lines

    /// What is wrong is an Error with the line. Unknown keys are passed over.
    static Result<CallFile> parse(std::string_view text);

    static constexpr std::size_t max_size = 64u << 10;  ///< bytes; with thousands of retries noted
    static constexpr std::size_t max_variables = 1000;
};

}  // namespace strowger::pbx
