#include "wire/rtp/rewriter.hpp"

namespace strowger::rtp {

Rewriter::Rewriter(std::uint32_t ssrc, std::uint16_t first_sequence, std::uint32_t first_timestamp,
                   std::uint32_t clock_rate)
    : ssrc_(ssrc),
      clock_rate_(clock_rate),
      next_sequence_(first_sequence),
      last_timestamp_(first_timestamp) {}

// RFC 3550 section 5.1: the initial values are random, so that known plaintext does not help.
Rewriter::Rewriter(Random& random, std::uint32_t clock_rate)
    : Rewriter(random.next32(), static_cast<std::uint16_t>(random.below(65536)), random.next32(),
               clock_rate) {}

Rewriter Rewriter::after(const Header& last, Time sent_at, std::uint32_t clock_rate) {
    Rewriter rewriter(last.ssrc, static_cast<std::uint16_t>(last.sequence + 1), last.timestamp,
                      clock_rate);
    rewriter.sent(last.timestamp, sent_at);
    return rewriter;
}

std::optional<Header> Rewriter::forward(const Header& in, Time now) {
    const auto ahead = static_cast<std::uint16_t>(in.sequence - source_highest_);
    const auto behind = static_cast<std::uint16_t>(-ahead);
    const bool jumped = ahead > max_jump && behind > max_jump;
    Header out = in;
    if (!bound_ || in.ssrc != source_ssrc_ || jumped) {
        if (any_) out.marker = true;
        bind(in, now);
    } else if (ahead < 0x8000) {
        source_highest_ = in.sequence;
    } else if (newer(source_first_, in.sequence)) {
        return std::nullopt;
    }
    // Keeps the distance to the first small enough to compare in 16 bits.
    if (static_cast<std::uint16_t>(source_highest_ - source_first_) > 0x4000) {
        source_first_ = static_cast<std::uint16_t>(source_highest_ - 0x2000);
    }
    out.ssrc = ssrc_;
    out.sequence = static_cast<std::uint16_t>(in.sequence + sequence_offset_);
    out.timestamp = in.timestamp + timestamp_offset_;
    generating_ = false;
    if (in.sequence == source_highest_) {  // the newest so far; late ones do not move the stream
        next_sequence_ = static_cast<std::uint16_t>(out.sequence + 1);
        // The updates of a key repeat its start; time goes on from there. Further back is another
        // clock of the source's.
        const bool later = newer(out.timestamp, last_timestamp_);
        if (!any_ || later || last_timestamp_ - out.timestamp > longest_event_s * clock_rate_)
            sent(out.timestamp, now);
    }
    return out;
}

bool Rewriter::forward(MutableBytes packet, Time now) {
    const Header in{.marker = (packet[1] & 0x80) != 0,
                    .payload_type = static_cast<std::uint8_t>(packet[1] & 0x7f),
                    .sequence = load16(packet, 2),
                    .timestamp = load32(packet, 4),
                    .ssrc = load32(packet, 8)};
    const auto out = forward(in, now);
    if (out) rewrite_header(*out, packet);
    return out.has_value();
}

Header Rewriter::generate(std::uint8_t payload_type, std::uint32_t duration, Time now) {
    const bool continues = generating_ && now - last_sent_ <= max_pause;
    const std::uint32_t timestamp = continues ? generated_next_ : timestamp_at(now);
    const auto header = generate_at(payload_type, timestamp, now, !continues);
    generating_ = true;
    generated_next_ = timestamp + duration;
    return header;
}

Header Rewriter::generate_at(std::uint8_t payload_type, std::uint32_t timestamp, Time now,
                             bool marker) {
    const Header header{.marker = marker,
                        .payload_type = payload_type,
                        .sequence = next_sequence_++,
                        .timestamp = timestamp,
                        .ssrc = ssrc_};
    bound_ = false;  // its sequence number was the source's next
    generating_ = false;
    // The updates of one event repeat its start; time goes on from there.
    if (!any_ || newer(timestamp, last_timestamp_)) sent(timestamp, now);
    return header;
}

std::uint32_t Rewriter::timestamp_at(Time now) const {
    if (!any_ || now <= last_sent_) return last_timestamp_;
    const auto elapsed = now - last_sent_;
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(elapsed);
    const auto units =
        static_cast<std::uint64_t>(whole.count()) * clock_rate_ +
        static_cast<std::uint64_t>((elapsed - whole).count()) * clock_rate_ / 1'000'000'000U;
    return last_timestamp_ + static_cast<std::uint32_t>(units);
}

void Rewriter::bind(const Header& in, Time now) {
    bound_ = true;
    source_ssrc_ = in.ssrc;
    source_first_ = source_highest_ = in.sequence;
    sequence_offset_ = static_cast<std::uint16_t>(next_sequence_ - in.sequence);
    // Another source's sound is not what was there at the time of the last packet.
    std::uint32_t timestamp = timestamp_at(now);
    if (any_ && timestamp == last_timestamp_) ++timestamp;
    timestamp_offset_ = timestamp - in.timestamp;
}

void Rewriter::sent(std::uint32_t timestamp, Time now) {
    any_ = true;
    last_timestamp_ = timestamp;
    last_sent_ = now;
}

}  // namespace strowger::rtp
