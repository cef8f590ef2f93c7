#include "wire/ice/check_list.hpp"

#include <algorithm>

namespace strowger::ice {

using State = CandidatePair::State;

CandidatePair* CheckList::add(const CandidatePair& pair) {
    CandidatePair* place = nullptr;
    if (pairs_.size() < max_pairs) {
        place = &pairs_.emplace_back(pair);
    } else if ((place = replaceable(pair.priority))) {
        untrigger(*place);
        *place = pair;
    } else {
        return nullptr;
    }
    const bool alike_succeeded = std::any_of(pairs_.begin(), pairs_.end(), [&](const auto& other) {
        return &other != place && other.foundation == pair.foundation &&
               other.state == State::succeeded;
    });
    if (place->state == State::frozen && alike_succeeded) place->state = State::waiting;
    pairs_are_new_ = true;
    return place;
}

CandidatePair* CheckList::replaceable(std::uint64_t priority) {
    CandidatePair* least = nullptr;
    for (auto& pair : pairs_) {
        if (pair.valid || pair.state == State::in_progress) continue;
        if (!least || pair.priority < least->priority) least = &pair;
    }
    return least && least->priority < priority ? least : nullptr;
}

CandidatePair* CheckList::find(SocketId socket, const SocketAddress& remote) {
    const auto found = std::find_if(pairs_.begin(), pairs_.end(), [&](const auto& pair) {
        return pair.socket == socket && pair.remote == remote;
    });
    return found == pairs_.end() ? nullptr : &*found;
}

CandidatePair* CheckList::find(const stun::TransactionId& transaction) {
    if (transaction == stun::TransactionId{}) return nullptr;  // that of pairs never checked
    const auto found = std::find_if(pairs_.begin(), pairs_.end(), [&](const auto& pair) {
        return pair.transaction.id() == transaction || pair.cancelled == transaction;
    });
    return found == pairs_.end() ? nullptr : &*found;
}

void CheckList::trigger(CandidatePair& pair) {
    const auto index = static_cast<std::uint16_t>(index_of(pair));
    if (std::find(triggered_.begin(), triggered_.end(), index) == triggered_.end()) {
        triggered_.push_back(index);
    }
}

void CheckList::untrigger(const CandidatePair& pair) {
    std::erase(triggered_, static_cast<std::uint16_t>(index_of(pair)));
}

bool CheckList::has_next(bool ordinary) const {
    if (!triggered_.empty()) return true;
    return ordinary && std::any_of(pairs_.begin(), pairs_.end(), [](const auto& pair) {
               return pair.state == State::waiting || pair.state == State::frozen;
           });
}

CandidatePair* CheckList::next(bool ordinary) {
    if (!triggered_.empty()) {
        auto& pair = pairs_[triggered_.front()];
        triggered_.erase(triggered_.begin());
        return &pair;
    }
    if (!ordinary) return nullptr;
    if (pairs_are_new_ || count(State::waiting) == 0) unfreeze_foundations();
    CandidatePair* best = nullptr;
    for (auto& pair : pairs_) {
        if (pair.state != State::waiting) continue;
        if (!best || pair.priority > best->priority) best = &pair;
    }
    return best;
}

// Sections 6.1.2.6 and 6.1.4.2: one pair a foundation at a time, of the lowest component first.
void CheckList::unfreeze_foundations() {
    pairs_are_new_ = false;
    for (auto& pair : pairs_) {
        if (pair.state != State::frozen) continue;
        const bool stays = std::any_of(pairs_.begin(), pairs_.end(), [&](const auto& other) {
            if (&other == &pair || other.foundation != pair.foundation) return false;
            if (other.state == State::waiting || other.state == State::in_progress) return true;
            return other.state == State::frozen &&
                   (other.component < pair.component ||
                    (other.component == pair.component && other.priority > pair.priority));
        });
        if (!stays) pair.state = State::waiting;
    }
}

void CheckList::unfreeze_alike(const CandidatePair& succeeded) {
    for (auto& pair : pairs_) {
        if (pair.state == State::frozen && pair.foundation == succeeded.foundation) {
            pair.state = State::waiting;
        }
    }
}

std::size_t CheckList::count(State state) const {
    return static_cast<std::size_t>(std::count_if(
        pairs_.begin(), pairs_.end(), [&](const auto& pair) { return pair.state == state; }));
}

void CheckList::remove_component(std::uint16_t component) {
    std::vector<CandidatePair> kept;
    std::vector<std::uint16_t> kept_triggered;
    for (const auto& pair : pairs_) {
        if (pair.component == component) continue;
        const auto index = static_cast<std::uint16_t>(index_of(pair));
        if (std::find(triggered_.begin(), triggered_.end(), index) != triggered_.end()) {
            kept_triggered.push_back(static_cast<std::uint16_t>(kept.size()));
        }
        kept.push_back(pair);
    }
    pairs_ = std::move(kept);
    triggered_ = std::move(kept_triggered);
}

void CheckList::clear() {
    pairs_.clear();
    triggered_.clear();
}

}  // namespace strowger::ice
