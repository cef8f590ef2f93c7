#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"

namespace strowger::sctp {

/// Packets that wait to be sent, one behind the other in one piece of memory that is used again.
class PacketQueue {
public:
    /// What a congestion window of a fast path holds. Beyond it packets are dropped, as the network
    /// would, and come again.
    static constexpr std::size_t max_bytes = std::size_t{4} << 20;

    void push(Bytes packet) {
        if (bytes_.size() + packet.size() > max_bytes) return;
        bytes_.insert(bytes_.end(), packet.begin(), packet.end());
        sizes_.push_back(static_cast<std::uint32_t>(packet.size()));
    }
    bool empty() const { return taken_ == sizes_.size(); }
    /// Borrowed until the next push; nothing when empty.
    Bytes pop() {
        if (empty()) {
            bytes_.clear();
            sizes_.clear();
            taken_ = at_ = 0;
            return {};
        }
        const std::size_t size = sizes_[taken_++];
        at_ += size;
        return Bytes(bytes_).subspan(at_ - size, size);
    }

private:
    std::vector<std::uint8_t> bytes_;
    std::vector<std::uint32_t> sizes_;
    std::size_t taken_ = 0;
    std::size_t at_ = 0;
};

}  // namespace strowger::sctp
