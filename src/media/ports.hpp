#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/address.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "io/media_socket.hpp"

namespace strowger::media {

/// The sockets of one stream: RTP on an even port, RTCP on the odd one above (RFC 3550 section 11).
struct SocketPair {
    io::MediaSocket rtp;
    io::MediaSocket rtcp;
    std::uint16_t port = 0;  ///< of the RTP socket
};

/// The even ports of a range. A port that was given back is used again as late as possible, so that
/// late packets of the call before do not disturb the next.
class Ports {
public:
    /// Both inclusive; an odd `first` is rounded up.
    Ports(std::uint16_t first, std::uint16_t last);

    /// Opens the next pair that nobody else on the host holds. Fails with the range in the text,
    /// or with an errno as code when it is not the port that is the trouble.
    Result<SocketPair> open(const IpAddress& address, int tos);

    /// The sockets have been closed.
    void give_back(std::uint16_t port) { free_.push_back(port); }

    /// From here on in no order that a stranger can guess.
    void shuffle(Random& random);

    std::size_t in_use() const { return total_ - free_.size(); }
    std::size_t available() const { return free_.size(); }

private:
    std::uint16_t first_;
    std::uint16_t last_;
    std::size_t total_;
    std::deque<std::uint16_t> free_;
};

}  // namespace strowger::media
