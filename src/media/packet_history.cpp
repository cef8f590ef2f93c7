#include "media/packet_history.hpp"

#include <utility>

namespace strowger::media {

void PacketHistory::add(std::uint16_t sequence, Bytes packet, Time now) {
    if (slots_.empty()) slots_.resize(min_packets);
    const auto* there = &slots_[sequence % slots_.size()];
    if (!there->packet.empty() && now < there->at + depth && slots_.size() < max_packets) grow();
    Slot& slot = slots_[sequence % slots_.size()];
    slot.packet.assign(packet.begin(), packet.end());
    slot.sequence = sequence;
    slot.at = now;
}

void PacketHistory::grow() {
    std::vector<Slot> before(slots_.size() * 2);
    before.swap(slots_);
    for (auto& slot : before) slots_[slot.sequence % slots_.size()] = std::move(slot);
}

Bytes PacketHistory::find(std::uint16_t sequence, Time now) const {
    if (slots_.empty()) return {};
    const Slot& slot = slots_[sequence % slots_.size()];
    if (slot.sequence != sequence || now > slot.at + depth) return {};
    return slot.packet;
}

}  // namespace strowger::media
