#pragma once

#include "echo/client.hpp"

namespace strowger::echo {

/// `strowger echo load`: many calls at once, and how the server bore them.
struct LoadOptions {
    Caller::Options caller;
    std::size_t sessions = 100;
    Duration time = std::chrono::seconds{10};  ///< of media, once all are connected
    std::size_t at_once = 16;                  ///< that are being set up
    std::size_t message_size = 0;              ///< 0: sound; else messages on a channel
    std::size_t in_flight = 1;
    bool silent = false;  ///< neither sound nor messages: connections alone
};

/// One line of JSON on standard output. True: all connected, and all that was sent came back
/// unchanged.
bool run_load(const LoadOptions& options);

}  // namespace strowger::echo
