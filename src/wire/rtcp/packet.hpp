#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace strowger::rtcp {

/// Packet types (RFC 3550 section 12.1, RFC 4585, RFC 3611).
enum class Type : std::uint8_t {
    old_full_intra_request = 192,  ///< RFC 2032 section 5.2.1; older phones still send it
    sender_report = 200,
    receiver_report = 201,
    sdes = 202,
    bye = 203,
    app = 204,
    transport_feedback = 205,
    payload_feedback = 206,
    extended_report = 207,
};

enum class Fault : std::uint8_t {
    too_short,
    not_version_2,
    bad_first_type,
    early_padding,
    bad_length,
    bad_padding,
    bad_body
};
std::string_view text_of(Fault fault);

/// One packet of a compound, its common header taken apart. Borrows.
struct Packet {
    Type type{};             ///< possibly a type that is not named above
    std::uint8_t count = 0;  ///< RC, SC, FMT or subtype
    Bytes body;              ///< after the four bytes of common header, without padding
    Bytes bytes;             ///< all of it

    std::uint32_t ssrc() const {
        return body.size() >= 4 ? load32(body, 0) : 0;
    }  ///< of the sender
};

/// Which compounds to take. `compound`: as RFC 3550 A.2 has it, first SR or RR. `reduced`: any
/// first packet, for peers that negotiated rtcp-rsize (RFC 5506).
enum class Strictness : std::uint8_t { compound, reduced };

/// The packets of one RTCP datagram, checked as a whole before any is looked at (RFC 3550 A.2).
///
///     for (const Packet& packet : *compound) if (auto sr = SenderReport::parse(packet)) ...
///
/// Unknown and extended-report packets are passed by like any other: their lengths are right.
class Compound {
public:
    static std::expected<Compound, Fault> parse(Bytes datagram,
                                                Strictness strictness = Strictness::compound);

    class Iterator {
    public:
        explicit Iterator(Bytes rest);
        const Packet& operator*() const { return packet_; }
        const Packet* operator->() const { return &packet_; }
        Iterator& operator++();
        bool operator==(const Iterator& other) const { return rest_.size() == other.rest_.size(); }

    private:
        Bytes rest_;
        Packet packet_;
    };
    Iterator begin() const { return Iterator(bytes_); }
    Iterator end() const { return Iterator({}); }
    Bytes bytes() const { return bytes_; }

private:
    Bytes bytes_;
};

/// A report block (section 6.4.1).
struct ReportBlock {
    static constexpr std::size_t size = 24;
    std::uint32_t ssrc = 0;
    std::uint8_t fraction_lost = 0;    ///< of 256
    std::int32_t cumulative_lost = 0;  ///< 24 bits, signed
    std::uint32_t highest_sequence = 0;
    std::uint32_t jitter = 0;               ///< timestamp units
    std::uint32_t last_sr = 0;              ///< middle 32 bits of the NTP time; 0: none came yet
    std::uint32_t delay_since_last_sr = 0;  ///< 1/65536 s

    bool operator==(const ReportBlock&) const = default;
};

/// A range of report blocks still in their packet.
class ReportBlocks {
public:
    ReportBlocks() = default;
    explicit ReportBlocks(Bytes bytes) : bytes_(bytes) {}
    std::size_t size() const { return bytes_.size() / ReportBlock::size; }
    ReportBlock operator[](std::size_t index) const;
    std::optional<ReportBlock> about(std::uint32_t ssrc) const;

private:
    Bytes bytes_;
};

struct SenderInfo {
    std::uint64_t ntp = 0;  ///< 32.32 seconds since 1900
    std::uint32_t rtp = 0;
    std::uint32_t packets = 0;
    std::uint32_t octets = 0;

    bool operator==(const SenderInfo&) const = default;
};

struct SenderReport {
    static std::optional<SenderReport> parse(const Packet& packet);
    std::uint32_t ssrc = 0;
    SenderInfo info;
    ReportBlocks blocks;
};

struct ReceiverReport {
    static std::optional<ReceiverReport> parse(const Packet& packet);
    std::uint32_t ssrc = 0;
    ReportBlocks blocks;
};

/// Source descriptions (section 6.5): `next` walks all items of all chunks.
class SourceDescription {
public:
    enum class Item : std::uint8_t { end, cname, name, email, phone, location, tool, note, priv };
    struct Entry {
        std::uint32_t ssrc;
        Item item;
        std::string_view text;
    };
    static std::optional<SourceDescription> parse(const Packet& packet);  ///< checks all chunks
    std::optional<Entry> next();

private:
    Bytes rest_;
    std::uint32_t ssrc_ = 0;
    bool in_chunk_ = false;
    unsigned chunks_left_ = 0;
    Bytes chunk_rest_;
};

struct Bye {
    static std::optional<Bye> parse(const Packet& packet);
    Bytes sources;  ///< four bytes each
    std::string_view reason;
    std::size_t count() const { return sources.size() / 4; }
    std::uint32_t source(std::size_t index) const { return load32(sources, index * 4); }
};

struct App {
    static std::optional<App> parse(const Packet& packet);
    std::uint8_t subtype = 0;
    std::uint32_t ssrc = 0;
    std::string_view name;  ///< four characters
    Bytes data;
};

/// Feedback (RFC 4585 section 6.1, RFC 5104, REMB draft): both transport and payload-specific.
struct Feedback {
    enum class Format : std::uint8_t { other, nack, pli, fir, remb };
    static std::optional<Feedback> parse(const Packet& packet);

    Format format = Format::other;
    std::uint32_t sender = 0;
    std::uint32_t media = 0;
    Bytes fci;

    struct NackItem {
        std::uint16_t packet_id;
        std::uint16_t bitmask;  ///< bit n: packet_id + n + 1 is missing too
    };
    std::size_t nack_count() const { return format == Format::nack ? fci.size() / 4 : 0; }
    NackItem nack(std::size_t index) const {
        return {load16(fci, index * 4), load16(fci, index * 4 + 2)};
    }

    struct FirItem {
        std::uint32_t ssrc;
        std::uint8_t sequence;
    };
    std::size_t fir_count() const { return format == Format::fir ? fci.size() / 8 : 0; }
    FirItem fir(std::size_t index) const { return {load32(fci, index * 8), fci[index * 8 + 4]}; }

    std::uint64_t remb_bitrate() const;  ///< bits per second; 0 when it is no REMB
};

/// Calendar time as NTP (section 4).
std::uint64_t ntp_time(WallTime now);
/// The middle 32 bits.
constexpr std::uint32_t ntp_middle(std::uint64_t ntp) {
    return static_cast<std::uint32_t>(ntp >> 16);
}

/// Of DLSR: units of 1/65536 s; 32 bits of them are 18 hours.
std::uint32_t delay_units(Duration since);

/// The round trip a block tells whoever sent the SR it speaks of (section 6.4.1): now - LSR - DLSR.
/// Nothing without an SR, and nothing when the clocks make it negative or over a minute.
std::optional<Duration> round_trip(const ReportBlock& block, std::uint64_t ntp_now);

}  // namespace strowger::rtcp
