#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "wire/ice/candidate.hpp"
#include "wire/ice/transmit.hpp"

namespace strowger::ice {

/// A socket of ours as checks see it: the best of the candidates behind it.
struct Base {
    SocketId socket = 0;
    std::uint16_t component = 1;
    IpAddress address;  ///< of a candidate; its family is the socket's
    std::uint32_t priority = 0;
    std::uint32_t foundation = 0;
};

/// An address of the peer's.
struct Remote {
    SocketAddress address;
    std::uint16_t component = 1;
    std::uint32_t priority = 0;
    std::uint32_t foundation = 0;
    bool learnt = false;  ///< from a check only (peer-reflexive); signalling may still name it
};

/// What both sides can be reached at, without what cannot be checked, twice or at all.
class CandidateTable {
public:
    static constexpr std::size_t max_bases = 32;
    /// Real peers name up to some twenty, all components and families together.
    static constexpr std::size_t max_remotes = 64;
    /// Addresses that checks with right integrity came from, but nobody named: one for each NAT in
    /// between. The bound is for a peer that makes them up.
    static constexpr std::size_t max_learnt = 16;

    /// The base that the candidate added or bettered; nothing when it changes nothing.
    Result<const Base*> add_local(const Candidate& candidate, SocketId socket);
    /// The remote that the candidate added or bettered; nothing when it changes nothing.
    Result<const Remote*> add_remote(const Candidate& candidate);
    /// An address that a check came from; nothing when there are too many.
    const Remote* learn(const SocketAddress& from, std::uint16_t component, std::uint32_t priority);

    const Base* base(SocketId socket) const;
    const Remote* remote(const SocketAddress& address, std::uint16_t component) const;
    const std::vector<Base>& bases() const { return bases_; }
    const std::vector<Remote>& remotes() const { return remotes_; }
    void remove_component(std::uint16_t component);
    void forget_remotes();  ///< an ICE restart names them anew

    /// May a check go from here to there (RFC 8445 section 6.1.2.2)?
    static bool fit(const Base& base, const Remote& remote);
    /// Both foundations as one number.
    static std::uint32_t pair_foundation(const Base& base, const Remote& remote) {
        return base.foundation << 16 | remote.foundation;
    }

private:
    std::uint32_t foundation_number(const std::string& foundation);

    std::vector<Base> bases_;
    std::vector<Remote> remotes_;
    std::vector<std::string> foundations_;
    std::uint32_t learnt_foundations_ = 0;
};

}  // namespace strowger::ice
