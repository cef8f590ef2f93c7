#include "wire/rtcp/packet.hpp"

#include <algorithm>

namespace strowger::rtcp {

namespace {

constexpr std::size_t head = 4;  // version, count, type, length
constexpr std::size_t sender_info_size = 20;
constexpr std::uint64_t ntp_of_1970 = 2'208'988'800ULL;           // seconds
constexpr Duration longest_round_trip = std::chrono::minutes{1};  // beyond it a clock is wrong
constexpr std::uint32_t remb_name = 0x52454d42;                   // "REMB"

// RFC 4585 section 6.2 and 6.3, RFC 5104 section 4.3.1.
constexpr std::uint8_t fmt_nack = 1, fmt_pli = 1, fmt_fir = 4, fmt_application = 15;

Packet take(Bytes bytes) {
    Packet packet;
    const std::size_t size = (load16(bytes, 2) + std::size_t{1}) * 4;
    packet.bytes = bytes.first(size);
    packet.type = static_cast<Type>(bytes[1]);
    packet.count = bytes[0] & 0x1f;
    const std::size_t padding = (bytes[0] & 0x20) != 0 ? packet.bytes.back() : 0;
    packet.body = packet.bytes.subspan(head, size - head - padding);
    return packet;
}

}  // namespace

std::string_view text_of(Fault fault) {
    switch (fault) {
        case Fault::too_short: return "shorter than an RTCP header";
        case Fault::not_version_2: return "not RTCP version 2";
        case Fault::bad_first_type: return "first packet is neither SR nor RR";
        case Fault::early_padding: return "padding in other than the last packet";
        case Fault::bad_length: return "packet lengths do not add up to the datagram";
        case Fault::bad_padding: return "padding count of 0, odd or too long";
        case Fault::bad_body: return "packet shorter than its counts say";
    }
    return "";
}

std::expected<Compound, Fault> Compound::parse(Bytes datagram, Strictness strictness) {
    if (datagram.size() < head) return std::unexpected(Fault::too_short);
    if (datagram[0] >> 6 != 2) return std::unexpected(Fault::not_version_2);
    const auto first = static_cast<Type>(datagram[1]);
    const bool report = first == Type::sender_report || first == Type::receiver_report;
    if (strictness == Strictness::compound && !report)
        return std::unexpected(Fault::bad_first_type);
    for (Bytes rest = datagram; !rest.empty();) {
        if (rest.size() < head) return std::unexpected(Fault::bad_length);
        if (rest[0] >> 6 != 2) return std::unexpected(Fault::not_version_2);
        const std::size_t size = (load16(rest, 2) + std::size_t{1}) * 4;
        if (size > rest.size()) return std::unexpected(Fault::bad_length);
        if ((rest[0] & 0x20) != 0) {
            if (size != rest.size()) return std::unexpected(Fault::early_padding);
            const std::uint8_t padding = rest[size - 1];
            // A multiple of four (RFC 3550 section 6.4.1), but for what browsers fill
            // transport-wide feedback up with, which goes without a report.
            const bool even = padding % 4 == 0 || strictness == Strictness::reduced;
            if (padding == 0 || !even || padding > size - head) {
                return std::unexpected(Fault::bad_padding);
            }
        }
        rest = rest.subspan(size);
    }
    Compound compound;
    compound.bytes_ = datagram;
    return compound;
}

Compound::Iterator::Iterator(Bytes rest) : rest_(rest) {
    if (!rest_.empty()) packet_ = take(rest_);
}

auto Compound::Iterator::operator++() -> Iterator& {
    rest_ = rest_.subspan(packet_.bytes.size());
    if (!rest_.empty()) packet_ = take(rest_);
    return *this;
}

ReportBlock ReportBlocks::operator[](std::size_t index) const {
    const auto b = bytes_.subspan(index * ReportBlock::size, ReportBlock::size);
    const std::uint32_t lost = load32(b, 4) & 0xffffff;
    return {.ssrc = load32(b, 0),
            .fraction_lost = b[4],
            .cumulative_lost = static_cast<std::int32_t>(lost ^ 0x800000) - 0x800000,
            .highest_sequence = load32(b, 8),
            .jitter = load32(b, 12),
            .last_sr = load32(b, 16),
            .delay_since_last_sr = load32(b, 20)};
}

std::optional<ReportBlock> ReportBlocks::about(std::uint32_t ssrc) const {
    for (std::size_t i = 0; i < size(); ++i) {
        if (load32(bytes_, i * ReportBlock::size) == ssrc) return (*this)[i];
    }
    return std::nullopt;
}

std::optional<SenderReport> SenderReport::parse(const Packet& packet) {
    const std::size_t blocks = packet.count * ReportBlock::size;
    constexpr std::size_t before = 4 + sender_info_size;
    if (packet.type != Type::sender_report || packet.body.size() < before + blocks) {
        return std::nullopt;
    }
    const auto b = packet.body;
    return SenderReport{.ssrc = load32(b, 0),
                        .info = {.ntp = std::uint64_t{load32(b, 4)} << 32 | load32(b, 8),
                                 .rtp = load32(b, 12),
                                 .packets = load32(b, 16),
                                 .octets = load32(b, 20)},
                        .blocks = ReportBlocks(b.subspan(before, blocks))};
}

std::optional<ReceiverReport> ReceiverReport::parse(const Packet& packet) {
    const std::size_t blocks = packet.count * ReportBlock::size;
    if (packet.type != Type::receiver_report || packet.body.size() < 4 + blocks) {
        return std::nullopt;
    }
    return ReceiverReport{.ssrc = load32(packet.body, 0),
                          .blocks = ReportBlocks(packet.body.subspan(4, blocks))};
}

std::optional<SourceDescription> SourceDescription::parse(const Packet& packet) {
    if (packet.type != Type::sdes) return std::nullopt;
    SourceDescription sdes;
    sdes.rest_ = packet.body;
    sdes.chunks_left_ = packet.count;
    SourceDescription check = sdes;
    while (check.next()) {}
    if (check.chunks_left_ > 0 || check.in_chunk_) return std::nullopt;
    return sdes;
}

// Each chunk is an SSRC and items up to an END, padded with zeros to the next word.
auto SourceDescription::next() -> std::optional<Entry> {
    while (true) {
        if (!in_chunk_) {
            if (chunks_left_ == 0 || rest_.size() < 8) return std::nullopt;
            ssrc_ = load32(rest_, 0);
            chunk_rest_ = rest_.subspan(4);
            in_chunk_ = true;
            --chunks_left_;
        }
        if (chunk_rest_.empty()) return std::nullopt;  // no END: broken, `in_chunk_` stays
        if (chunk_rest_[0] == 0) {
            // `rest_` starts at a word, so the chunk ends at a multiple of four from there.
            const std::size_t used = (rest_.size() - chunk_rest_.size() + 1 + 3) / 4 * 4;
            if (used > rest_.size()) return std::nullopt;
            rest_ = rest_.subspan(used);
            in_chunk_ = false;
            continue;
        }
        if (chunk_rest_.size() < 2 || chunk_rest_.size() < 2U + chunk_rest_[1]) {
            return std::nullopt;
        }
        const Entry entry{.ssrc = ssrc_,
                          .item = static_cast<Item>(chunk_rest_[0]),
                          .text = as_text(chunk_rest_.subspan(2, chunk_rest_[1]))};
        chunk_rest_ = chunk_rest_.subspan(2U + chunk_rest_[1]);
        return entry;
    }
}

std::optional<Bye> Bye::parse(const Packet& packet) {
    const std::size_t size = packet.count * std::size_t{4};
    if (packet.type != Type::bye || packet.body.size() < size) return std::nullopt;
    Bye bye;
    bye.sources = packet.body.first(size);
    const auto rest = packet.body.subspan(size);
    if (!rest.empty()) {
        if (rest.size() < 1U + rest[0]) return std::nullopt;
        bye.reason = as_text(rest.subspan(1, rest[0]));
    }
    return bye;
}

std::optional<App> App::parse(const Packet& packet) {
    if (packet.type != Type::app || packet.body.size() < 8) return std::nullopt;
    return App{.subtype = packet.count,
               .ssrc = load32(packet.body, 0),
               .name = as_text(packet.body.subspan(4, 4)),
               .data = packet.body.subspan(8)};
}

std::optional<Feedback> Feedback::parse(const Packet& packet) {
    const bool transport = packet.type == Type::transport_feedback;
    if ((!transport && packet.type != Type::payload_feedback) || packet.body.size() < 8) {
        return std::nullopt;
    }
    Feedback feedback;
    feedback.sender = load32(packet.body, 0);
    feedback.media = load32(packet.body, 4);
    feedback.fci = packet.body.subspan(8);
    const auto& fci = feedback.fci;
    if (transport) {
        if (packet.count == fmt_nack) feedback.format = Format::nack;
    } else if (packet.count == fmt_pli) {
        feedback.format = Format::pli;
    } else if (packet.count == fmt_fir) {
        feedback.format = Format::fir;
    } else if (packet.count == fmt_application && fci.size() >= 8 && load32(fci, 0) == remb_name) {
        if (fci.size() < 8U + fci[4] * 4U) return std::nullopt;
        feedback.format = Format::remb;
    }
    return feedback;
}

std::uint64_t Feedback::remb_bitrate() const {
    if (format != Format::remb) return 0;
    const std::uint64_t mantissa = load32(fci, 4) & 0x3ffff;
    const unsigned exponent = fci[5] >> 2;
    // 18 bits shifted by more than 45 are no bit rate; say "unlimited" instead of overflowing.
    return exponent > 45 ? (mantissa == 0 ? 0 : ~std::uint64_t{0}) : mantissa << exponent;
}

std::uint64_t ntp_time(WallTime now) {
    const auto since = now.time_since_epoch();
    const auto whole = std::chrono::floor<std::chrono::seconds>(since);
    const auto fraction = static_cast<std::uint64_t>((since - whole).count());
    return (static_cast<std::uint64_t>(whole.count()) + ntp_of_1970) << 32 |
           (fraction << 32) / 1'000'000'000U;
}

std::uint32_t delay_units(Duration since) {
    constexpr auto longest = Duration{std::chrono::hours{18}};
    since = std::clamp(since, Duration{}, longest);
    // Whole seconds apart: 18 hours of nanoseconds shifted by 16 would overflow 63 bits.
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(since);
    return static_cast<std::uint32_t>((whole.count() << 16) +
                                      ((since - whole).count() << 16) / 1'000'000'000);
}

std::optional<Duration> round_trip(const ReportBlock& block, std::uint64_t ntp_now) {
    if (block.last_sr == 0) return std::nullopt;
    const std::uint32_t units = ntp_middle(ntp_now) - block.last_sr - block.delay_since_last_sr;
    const Duration trip(static_cast<std::int64_t>(std::uint64_t{units} * 1'000'000'000U >> 16));
    if (trip > longest_round_trip) return std::nullopt;  // negative ones wrap to hours
    return trip;
}

}  // namespace strowger::rtcp
