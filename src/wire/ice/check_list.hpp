#pragma once

#include <cstdint>
#include <vector>

#include "wire/ice/candidate_pair.hpp"

namespace strowger::ice {

/// The pairs of a data stream and the order in which they are checked (RFC 8445 sections 6.1.2 and
/// 6.1.4). Pointers to pairs hold until the next `add`.
class CheckList {
public:
    static constexpr std::size_t max_pairs = 100;  ///< as section 6.1.2.5 recommends

    /// Takes in a pair whose socket and address no other has. When the list is full it replaces the
    /// least pair that is not succeeded or in progress; nothing is answered if all are better.
    CandidatePair* add(const CandidatePair& pair);
    CandidatePair* find(SocketId socket, const SocketAddress& remote);
    /// That whose check, current or cancelled, this is the transaction of.
    CandidatePair* find(const stun::TransactionId& transaction);

    /// Queues a triggered check (section 7.3.1.4), before all ordinary ones.
    void trigger(CandidatePair& pair);
    void untrigger(const CandidatePair& pair);

    /// The pair whose check is next, or nothing; a triggered one has left the queue then.
    CandidatePair* next(bool ordinary);
    bool has_next(bool ordinary) const;

    /// Pairs of the same foundation will likely succeed, too (section 7.2.5.3.3).
    void unfreeze_alike(const CandidatePair& succeeded);

    std::size_t count(CandidatePair::State state) const;
    void remove_component(std::uint16_t component);
    void clear();

    std::vector<CandidatePair>& pairs() { return pairs_; }
    const std::vector<CandidatePair>& pairs() const { return pairs_; }

private:
    std::size_t index_of(const CandidatePair& pair) const {
        return static_cast<std::size_t>(&pair - pairs_.data());
    }
    CandidatePair* replaceable(std::uint64_t priority);
    void unfreeze_foundations();

    std::vector<CandidatePair> pairs_;
    std::vector<std::uint16_t> triggered_;  ///< indices, first in first out
    bool pairs_are_new_ = false;
};

}  // namespace strowger::ice
