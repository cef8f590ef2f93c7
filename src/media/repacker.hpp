#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.hpp"

namespace strowger::media {

/// Packs G.711 that comes in packets of one length into packets of another.
///
///     repacker.put(sequence, timestamp, codes);
///     while (repacker.poll(packet)) send(packet);
///
/// Timestamps stay those of the source. Where something is missing, what was waiting goes out
/// shorter than the others; and where it was lost, not left unsaid, as many sequence numbers are
/// left out as it would have had, so that the receiver knows that it is to conceal. What comes
/// late, or twice, is left out. Allocates nothing.
class Repacker {
public:
    /// A byte is a sample: 60 ms, more than any phone asks for.
    static constexpr std::size_t max_length = 480;
    static constexpr std::size_t max_input = 800;  ///< 100 ms, more than any phone packs into one

    struct Packet {
        std::uint16_t sequence = 0;
        std::uint32_t timestamp = 0;
        Bytes codes;  ///< until the next call
    };

    /// What comes out has so many codes from now on, 1 to `max_length`; 0: whatever came.
    void set_length(std::size_t length);
    std::size_t length() const { return length_; }
    bool in_use() const { return any_source_; }  ///< something was put since then

    /// False: it is longer than `max_input`, and nothing happened.
    bool put(std::uint16_t sequence, std::uint32_t timestamp, Bytes codes);
    /// What waits goes out as it is.
    void flush() { flushing_ = true; }
    bool poll(Packet& packet);
    /// The number for a packet of another kind that goes out between those.
    std::uint16_t next_sequence(std::uint16_t source_sequence) {
        (void)lost_before(source_sequence);
        return sequence_++;
    }

private:
    bool lost_before(std::uint16_t source_sequence);
    void append(std::uint32_t timestamp, Bytes codes);

    std::size_t length_ = 0;
    std::array<std::uint8_t, max_length + max_input> waiting_{};
    std::size_t begin_ = 0, end_ = 0;
    std::array<std::uint8_t, max_input> next_{};  // what follows after a gap
    std::size_t next_size_ = 0;
    std::uint32_t next_timestamp_ = 0;
    std::uint32_t timestamp_ = 0;  // of what waits first
    std::uint16_t sequence_ = 0;
    std::uint16_t source_sequence_ = 0;  // the newest
    bool any_ = false, any_source_ = false;
    bool lost_ = false;  // what is missing before `next_`
    bool flushing_ = false;
};

}  // namespace strowger::media
