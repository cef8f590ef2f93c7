#pragma once

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

}  // namespace strowger::media
