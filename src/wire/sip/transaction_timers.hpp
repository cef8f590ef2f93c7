#pragma once

#include "base/time.hpp"

namespace strowger::sip {

/// The times of section 17 (table 4 in appendix A); the letters in the comments are the RFC's.
struct TransactionTimers {
    Duration t1 = std::chrono::milliseconds{500};  ///< round-trip estimate
    Duration t2 = std::chrono::seconds{4};         ///< longest interval between retransmissions
    Duration t4 = std::chrono::seconds{5};         ///< longest life of a message in the network
    /// B, F, H, J, L, M: the patience of every transaction. Normally 64 times T1.
    Duration patience = std::chrono::seconds{32};
    Duration d = std::chrono::seconds{32};             ///< D over UDP: at least 32 s
    Duration trying = std::chrono::milliseconds{200};  ///< 100 is sent when nothing else was
};

}  // namespace strowger::sip
