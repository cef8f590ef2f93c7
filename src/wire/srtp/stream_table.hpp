#pragma once

#include <cstdint>
#include <vector>

namespace strowger::srtp {

/// How many SSRCs one direction of a session may have: a conference of hundreds of sources fits,
/// and a peer that changes its SSRC with every packet ends at about 200 KiB.
constexpr std::size_t max_streams = 1024;

/// The state of each SSRC of a session, flat: one multiplication and one comparison a packet.
/// Nothing is ever removed, as a sender that forgets an SSRC would use its keystream again.
template <typename Stream>
class StreamTable {
public:
    Stream* find(std::uint32_t ssrc) {
        if (slots_.empty()) return nullptr;
        for (std::size_t at = home(ssrc);; at = (at + 1) & (slots_.size() - 1)) {
            if (!slots_[at].used) return nullptr;
            if (slots_[at].ssrc == ssrc) return &slots_[at].stream;
        }
    }

    /// For an SSRC that is not there; null when there are `max_streams`. Earlier pointers are void.
    Stream* add(std::uint32_t ssrc) {
        if (count_ == max_streams) return nullptr;
        if (count_ * 2 >= slots_.size()) grow();
        ++count_;
        return &put(ssrc)->stream;
    }

    std::size_t size() const { return count_; }

    template <typename Visit>
    void each(Visit visit) const {
        for (const auto& slot : slots_) {
            if (slot.used) visit(slot.ssrc, slot.stream);
        }
    }

private:
    struct Slot {
        std::uint32_t ssrc = 0;
        bool used = false;
        Stream stream;
    };

    std::size_t home(std::uint32_t ssrc) const {
        return (ssrc * std::uint32_t{2654435769U} >> 16) & (slots_.size() - 1);
    }

    Slot* put(std::uint32_t ssrc) {
        std::size_t at = home(ssrc);
        while (slots_[at].used) at = (at + 1) & (slots_.size() - 1);
        slots_[at].ssrc = ssrc;
        slots_[at].used = true;
        return &slots_[at];
    }

    void grow() {
        std::vector<Slot> old(slots_.empty() ? 4 : slots_.size() * 2);
        old.swap(slots_);
        for (auto& slot : old) {
            if (slot.used) put(slot.ssrc)->stream = std::move(slot.stream);
        }
    }

    std::vector<Slot> slots_;  ///< a power of two, at most half of them used
    std::size_t count_ = 0;
};

}  // namespace strowger::srtp
