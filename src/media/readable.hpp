#pragma once

#include <atomic>

#include "base/time.hpp"

namespace strowger::media {

/// Something on a media thread with a pair of sockets that the thread watches for it.
class Readable {
public:
    virtual void rtp_readable(Time now) = 0;
    virtual void rtcp_readable(Time now) = 0;

protected:
    ~Readable() = default;
};

/// Whom a pair of sockets tells: what the poller's key points to. It outlives its reader, so an
/// event of a round in which the reader went meets nobody.
struct Watched {
    Readable* reader = nullptr;  ///< null: what comes is thrown away
    int rtp = -1, rtcp = -1;     ///< descriptors; -1: no longer this thread's
    /// When something was last thrown away. The only thing that other threads look at.
    std::atomic<Time> disturbed = Time::min();
};

}  // namespace strowger::media
