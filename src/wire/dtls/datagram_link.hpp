#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"

struct bio_st;

namespace strowger::dtls {

/// What OpenSSL takes for a datagram socket: one datagram in at a time, and a queue of those that
/// go out; each write is a datagram.
///
/// It also takes OpenSSL's retransmission timer away from the wall clock. OpenSSL announces the
/// time it has set through BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT by a pointer to where it keeps it. We
/// move that time out of reach, say when a timer began or ended, and let it expire when told.
class DatagramLink {
public:
    DatagramLink() = default;
    DatagramLink(const DatagramLink&) = delete;
    DatagramLink& operator=(const DatagramLink&) = delete;

    bio_st* make_bio();  ///< owned by whom it is given to; this must outlive it

    /// What the next read gives; borrowed until it is read or replaced. Empty: nothing to read.
    void offer(Bytes datagram) { incoming_ = datagram; }

    /// The next datagram to send, until the next write. False when there is none.
    bool poll(Bytes& datagram);
    std::size_t waiting() const { return ends_.size() - taken_; }

    /// `started`: set anew without having been stopped, which is what a retransmission does.
    enum class Timer : std::uint8_t { unchanged, started, stopped, restarted };
    Timer take_timer();   ///< what became of OpenSSL's timer since the last question
    void expire_timer();  ///< the time has come, if it runs

private:
    friend struct LinkMethod;

    int read(MutableBytes out);
    void write(Bytes datagram);
    void timer_set(void* place);

    Bytes incoming_;
    std::vector<std::uint8_t> outgoing_;
    std::vector<std::size_t> ends_;  ///< of the datagrams in `outgoing_`
    std::size_t taken_ = 0;
    void* next_timeout_ = nullptr;  ///< OpenSSL's struct timeval
    Timer timer_ = Timer::unchanged;
};

}  // namespace strowger::dtls
