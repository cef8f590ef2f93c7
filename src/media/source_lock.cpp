#include "media/source_lock.hpp"

#include <algorithm>

namespace strowger::media {

void SourceLock::expect(std::optional<SocketAddress> signalled, std::optional<IpAddress> likely,
                        Learning learning) {
    signalled_ = signalled;
    likely_ = likely;
    learning_ = learning;
    locked_ = false;
    candidates_ = {};
}

bool SourceLock::accept(const SocketAddress& from, std::uint32_t ssrc, std::uint16_t sequence,
                        Time now) {
    if (locked_ && from == *source_) {
        last_heard_ = now;
        return true;
    }
    // The settling time is over: nobody else is listened to.
    if (locked_ && now - last_heard_ >= learning_.patience) (void)expire(now);
    const bool stranger = from != signalled_ && from != source_;
    if (locked_ && (now >= firm_from_ || stranger)) return false;

    Candidate& who = candidate(from, ssrc, sequence);
    who.last = now;
    if (who.run >= needed(from)) {
        lock(from, now);
        return true;
    }
    if (locked_) return false;
    // Not to clip the first syllable, the strongest candidate is heard while it is on probation.
    // What was locked before a new offer stays the party until then, unless the offer named
    // another.
    if (source_ && from != *source_ && from != signalled_) return false;
    return std::ranges::all_of(candidates_,
                               [&](const Candidate& other) { return other.run <= who.run; });
}

bool SourceLock::expire(Time now) {
    if (!locked_ || now - last_heard_ < learning_.patience) return false;
    expect(signalled_, likely_, learning_);
    return true;
}

SourceLock::Candidate& SourceLock::candidate(const SocketAddress& from, std::uint32_t ssrc,
                                             std::uint16_t sequence) {
    Candidate* place = nullptr;
    if (signalled_ && from == *signalled_) {
        place = &candidates_[0];
    } else if (likely_ && from.ip == *likely_) {
        place = &candidates_[1];
    } else {
        for (std::size_t i = reserved; i < candidates_.size(); ++i) {
            Candidate& other = candidates_[i];
            if (other.run > 0 && other.from == from && other.ssrc == ssrc) {
                place = &other;
                break;
            }
            if (!place || std::pair(other.run, other.last) < std::pair(place->run, place->last))
                place = &other;
        }
    }
    const bool known = place->run > 0 && place->from == from && place->ssrc == ssrc;
    // A lost packet is forgiven, a repeated or random number starts over.
    const auto step = static_cast<std::uint16_t>(sequence - place->next_sequence);
    place->run = known && step <= 2 ? place->run + 1 : 1;
    place->from = from;
    place->ssrc = ssrc;
    place->next_sequence = static_cast<std::uint16_t>(sequence + 1);
    return *place;
}

int SourceLock::needed(const SocketAddress& from) const {
    const bool known = from == signalled_ || from == source_;
    return known ? std::min(probation_known, learning_.probation) : learning_.probation;
}

void SourceLock::lock(const SocketAddress& from, Time now) {
    const bool named = (signalled_ && from == *signalled_) || (likely_ && from.ip == *likely_);
    source_ = from;
    locked_ = true;
    last_heard_ = now;
    firm_from_ = named || !signalled_ ? now : now + settling;
}

}  // namespace strowger::media
