#include "media/ports.hpp"

#include <algorithm>
#include <cerrno>

namespace strowger::media {
namespace {

// Ports that another program holds are skipped; a host where this many in a row are taken has
// another trouble, and searching on would stall signalling.
constexpr int max_tries = 256;

}  // namespace

Ports::Ports(std::uint16_t first, std::uint16_t last, std::span<const std::uint16_t> excluded)
    : first_(first), last_(last) {
    for (std::uint32_t port = (first + 1u) & ~1u; port + 1 <= last; port += 2)
        if (std::ranges::none_of(excluded, [&](auto one) { return (one & ~1u) == port; }))
            free_.push_back(static_cast<std::uint16_t>(port));
    total_ = free_.size();
}

void Ports::shuffle(Random& random) {
    for (std::size_t left = free_.size(); left > 1; --left)
        std::swap(free_[left - 1], free_[random.below(left)]);
}

Result<SocketPair> Ports::open(const IpAddress& address, int tos) {
    std::string last_error = "none is free";
    const std::size_t tries = std::min<std::size_t>(free_.size(), max_tries);
    for (std::size_t i = 0; i < tries; ++i) {
        const std::uint16_t port = free_.front();
        free_.pop_front();
        auto rtp = io::MediaSocket::open({address, port}, tos);
        auto rtcp = io::MediaSocket::open({address, static_cast<std::uint16_t>(port + 1)}, tos);
        if (rtp && rtcp) return SocketPair{std::move(*rtp), std::move(*rtcp), port};
        const Error error = rtp ? rtcp.error() : rtp.error();
        if (error.code() != EADDRINUSE) {
            free_.push_front(port);
            return std::unexpected(error);
        }
        free_.push_back(port);
        last_error = error.text();
    }
    return fail("RTP ports {} to {} on {}: {} of {} in use, {}", first_, last_, address.text(),
                in_use(), total_, last_error);
}

std::optional<Ports::Kept> Ports::take_kept(const IpAddress& address, int tos, std::size_t home,
                                            Random& random) {
    if (kept_.size() <= resting) return std::nullopt;
    std::swap(kept_.front(), kept_[random.below(kept_.size() - resting)]);
    const Kept& kept = kept_.front();
    if (kept.address != address || kept.tos != tos || kept.home != home) return std::nullopt;
    return drop_kept();
}

std::optional<Ports::Kept> Ports::drop_kept() {
    if (kept_.empty()) return std::nullopt;
    std::optional<Kept> kept = std::move(kept_.front());
    kept_.pop_front();
    return kept;
}

}  // namespace strowger::media
