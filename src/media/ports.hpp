#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/address.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "io/media_socket.hpp"
#include "media/readable.hpp"

namespace strowger::media {

/// The sockets of one stream: RTP on an even port, RTCP on the odd one above (RFC 3550 section 11).
struct SocketPair {
    io::MediaSocket rtp;
    io::MediaSocket rtcp;
    std::uint16_t port = 0;              ///< of the RTP socket
    std::unique_ptr<Watched> watched{};  ///< in a media thread's poller; null: in none
};

/// The even ports of a range. A port that was given back is used again as late as possible, so that
/// late packets of the call before do not disturb the next.
class Ports {
public:
    /// Both inclusive; an odd `first` is rounded up. A pair with a port of `excluded` is left out.
    Ports(std::uint16_t first, std::uint16_t last, std::span<const std::uint16_t> excluded = {});

    /// Another range of the same address that has ports in common with this one: what either keeps
    /// open is closed when the other finds no port.
    void add_rival(Ports& other) { rivals_.push_back(&other); }
    std::span<Ports* const> rivals() const { return rivals_; }
    std::uint16_t first() const { return first_; }
    std::uint16_t last() const { return last_; }

    /// Opens the next pair that nobody else on the host holds. Fails with the range in the text,
    /// or with an errno as code when it is not the port that is the trouble.
    Result<SocketPair> open(const IpAddress& address, int tos);

    /// The sockets have been closed.
    void give_back(std::uint16_t port) { free_.push_back(port); }

    /// Sockets that no call uses, still open and watched by a media thread: to open, to watch and
    /// to close them is more than half of what a call's set-up costs.
    struct Kept {
        SocketPair sockets;
        IpAddress address;
        int tos = 0;
        std::size_t home = 0;  ///< the media thread
    };
    /// So many are kept; each holds two descriptors.
    static constexpr std::size_t max_kept = 256;
    /// None of the last so many is taken again: late packets of a call are to meet nobody.
    static constexpr std::size_t resting = 32;

    bool keeps_more() const { return kept_.size() < max_kept; }
    void keep(Kept kept) { kept_.push_back(std::move(kept)); }
    /// Where a party of the call before has sent something in so short a time, it may go on.
    static constexpr Duration quiet = std::chrono::seconds{1};
    /// One of those that have rested, no matter which; nothing when it does not fit. It may be
    /// disturbed: then it is to be closed.
    std::optional<Kept> take_kept(const IpAddress& address, int tos, std::size_t home,
                                  Random& random);
    static bool disturbed(const Kept& kept, Time now) {
        const auto& watched = kept.sockets.watched;
        return watched && now - quiet < watched->disturbed.load(std::memory_order_relaxed);
    }
    /// The oldest, to be closed.
    std::optional<Kept> drop_kept();

    /// From here on in no order that a stranger can guess.
    void shuffle(Random& random);

    std::size_t in_use() const { return total_ - available(); }
    std::size_t available() const { return free_.size() + kept_.size(); }

private:
    std::uint16_t first_;
    std::uint16_t last_;
    std::size_t total_;
    std::deque<std::uint16_t> free_;
    std::deque<Kept> kept_;
    std::vector<Ports*> rivals_;
};

}  // namespace strowger::media
