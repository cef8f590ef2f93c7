#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/address.hpp"
#include "base/time.hpp"

namespace strowger::media {

/// Whose packets are the party's? Learns the source of a stream from its first packets and then
/// holds on to it, so that stray or forged packets neither take the stream over nor disturb it.
///
/// Fed only with packets that are valid RTP of a negotiated payload type. A source must show
/// consecutive sequence numbers of one SSRC: two of them from the address that signalling named or
/// that was the party's before, `probation` from any other. A lock on another address than the
/// signalled one stays open to the signalled one for `settling`; a locked source that is silent for
/// `patience` opens the lock.
class SourceLock {
public:
    static constexpr int probation = 4;
    static constexpr int probation_known = 2;
    static constexpr Duration settling = std::chrono::seconds{3};
    static constexpr Duration patience = std::chrono::seconds{3};

    /// How fast it learns: consecutive packets of a stranger (4 are 60 ms of speech), and how long
    /// a locked source may be silent.
    struct Learning {
        int probation = 4;
        Duration patience = std::chrono::seconds{3};
        bool operator==(const Learning&) const = default;
    };

    /// Starts learning anew: the first SDP, or a new offer or answer. `likely` is where the
    /// signalling came from; a source on that host is preferred over a stranger, as the party
    /// behind a NAT has it.
    void expect(std::optional<SocketAddress> signalled, std::optional<IpAddress> likely) {
        expect(signalled, likely, {});
    }
    void expect(std::optional<SocketAddress> signalled, std::optional<IpAddress> likely,
                Learning learning);

    /// One packet; true when it is the party's, as far as is known yet.
    bool accept(const SocketAddress& from, std::uint32_t ssrc, std::uint16_t sequence, Time now);

    /// For a firm lock, whose socket hears nobody else: a packet came.
    void heard(Time now) { last_heard_ = now; }

    /// Opens a lock whose source has been silent for `patience`; true when it did.
    bool expire(Time now);

    const std::optional<SocketAddress>& source() const { return source_; }
    /// Nothing but a new `expect` or silence can change the source: the socket may be connected.
    bool firm(Time now) const { return source_ && now >= firm_from_; }
    bool locked() const { return locked_; }

private:
    struct Candidate {
        SocketAddress from;
        std::uint32_t ssrc = 0;
        std::uint16_t next_sequence = 0;
        int run = 0;  ///< consecutive packets; 0: the place is free
        Time last{};
    };
    // A flood of forged sources must cost no memory: the weakest candidate makes room. The
    // signalled address and the likely host have places of their own, which nobody can take.
    static constexpr std::size_t max_candidates = 5;
    static constexpr std::size_t reserved = 2;

    Candidate& candidate(const SocketAddress& from, std::uint32_t ssrc, std::uint16_t sequence);
    int needed(const SocketAddress& from) const;
    void lock(const SocketAddress& from, Time now);

    std::optional<SocketAddress> signalled_;
    std::optional<IpAddress> likely_;
    Learning learning_;
    std::optional<SocketAddress> source_;
    bool locked_ = false;
    Time firm_from_{};
    Time last_heard_{};
    std::array<Candidate, max_candidates> candidates_{};
};

}  // namespace strowger::media
