#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "echo/media_line.hpp"
#include "media/packet_history.hpp"
#include "wire/rtcp/compound_writer.hpp"
#include "wire/rtcp/reporter.hpp"
#include "wire/rtcp/transport_cc.hpp"
#include "wire/rtp/packet.hpp"
#include "wire/rtp/receiver_statistics.hpp"

namespace strowger::echo {

/// Sends back the RTP of one session: what to make of each packet, and the RTCP of both directions
/// (RFC 3550, RFC 4585, RFC 8108). Needs plain packets and time only.
///
/// A packet keeps its payload type, marker, sequence number, timestamp and payload; it gets our
/// SSRC and, of all extensions, the one that names its section. So the owner does
///
///     if (auto reflected = reflector.reflect(room, at, size, now)) {
///         bytes = protect and send(reflected->at, reflected->size);
///         reflector.sent(*reflected, bytes, now);
///     }
///     reflector.rtcp(compound, now, wall);
///     while (reflector.poll_again(packet)) send packet as it is;
///     while (reflector.poll_rtcp(buffer, size, now, wall)) protect and send;
class Reflector {
public:
    /// Sources of a section that are sent back, each under an SSRC of its own: the camera and, for
    /// those who do not take our answer's word, layers and repairs.
    static constexpr std::size_t max_sources = 4;
    static constexpr Duration key_frame_interval = std::chrono::milliseconds{500};
    static constexpr Duration first_report = std::chrono::milliseconds{200};
    static constexpr Duration video_report = std::chrono::seconds{1};
    static constexpr Duration audio_report = std::chrono::seconds{5};
    /// Packets that are sent again for one NACK; a burst larger than this is a pause, not a loss.
    static constexpr std::size_t max_again = 64;

    struct Counters {
        std::uint64_t reflected = 0, bytes = 0;
        std::uint64_t dropped = 0;     ///< of no section, of another codec, or of too many sources
        std::uint64_t probes = 0;      ///< padding only
        std::uint64_t again = 0;       ///< sent again for a NACK
        std::uint64_t missing = 0;     ///< asked for, and not there any more
        std::uint64_t key_frames = 0;  ///< asked for by the peer and passed on
    };

    struct Reflected {
        std::size_t at = 0, size = 0;  ///< in the room
        std::size_t stream = 0;
        std::uint16_t sequence = 0;
    };

    Reflector(std::vector<MediaLine> lines, std::string cname, Random& random);

    /// The packet lies in `room` at `at`; there are `front_needed` bytes before it. In place.
    std::optional<Reflected> reflect(MutableBytes room, std::size_t at, std::size_t size, Time now);
    static constexpr std::size_t front_needed = 48;
    void sent(const Reflected& reflected, Bytes packet, Time now);

    void rtcp(Bytes compound, Time now, WallTime wall);
    bool poll_again(Bytes& packet);
    /// Writes a compound at the front of `buffer`.
    bool poll_rtcp(MutableBytes buffer, std::size_t& size, Time now, WallTime wall);
    Time deadline() const { return std::min(next_report_, arrivals_.deadline()); }
    /// The last words of all streams (RFC 3550 section 6.6); false without any.
    bool write_bye(MutableBytes buffer, std::size_t& size) const;

    const Counters& counters() const { return counters_; }
    bool has_media() const { return !lines_.empty(); }
    std::size_t streams() const { return streams_.size(); }
    std::optional<Duration> round_trip() const;
    std::uint64_t lost() const;  ///< on the way to us

private:
    /// One source and what it is sent back as.
    struct Stream {
        Stream(std::size_t its_line, std::uint32_t its_source, std::uint32_t ssrc,
               std::uint32_t clock_rate)
            : line(its_line),
              source(its_source),
              reporter(ssrc),
              own(ssrc),
              received({.clock_rate = clock_rate}) {}

        std::size_t line;
        std::uint32_t source;
        rtcp::Reporter reporter;
        std::uint32_t own;
        rtp::ReceiverStatistics received;
        media::PacketHistory history;
        std::uint32_t packets = 0, octets = 0;  ///< sent
        std::uint32_t last_timestamp = 0;
        Time last_at{};
        std::optional<rtcp::SenderInfo> sender_report;  ///< the source's latest
        Time next_report{};
        Time key_frame_asked{};
        bool key_frame_wanted = false;
        bool asked_before = false;
    };
    struct Again {
        std::size_t stream;
        std::uint16_t sequence;
    };

    Stream* find(std::uint32_t source);
    Stream* add(const rtp::Packet& packet, Time now);
    std::optional<std::size_t> line_of(const rtp::Packet& packet) const;
    std::size_t front_of(const MediaLine& line) const;
    void write_front(const MediaLine& line, const rtp::Header& header, MutableBytes out) const;
    void on_feedback(const rtcp::Feedback& feedback, Time now);
    void on_nack(std::size_t stream, const rtcp::Feedback& feedback);
    rtcp::SenderInfo sender_info(const Stream& stream, Time now, std::uint64_t ntp) const;
    bool write_arrivals(MutableBytes buffer, std::size_t& size);
    Duration interval_of(const Stream& stream);
    void write_report(Stream& stream, rtcp::CompoundWriter& out, Time now, std::uint64_t ntp);

    std::vector<MediaLine> lines_;
    std::string cname_;
    Random& random_;
    std::vector<std::unique_ptr<Stream>> streams_;
    std::vector<Again> again_;
    std::size_t again_taken_ = 0;
    Time now_{};  ///< of the RTCP that `again_` comes from
    /// The peer's clock less ours, in NTP units, from its first sender report; one for all of its
    /// streams, so that they stay in step.
    std::optional<std::uint64_t> clock_offset_;
    Time next_report_ = Time::max();
    rtcp::TransportFeedback arrivals_;
    std::size_t arrivals_stream_ = 0;  ///< one that they came on
    Counters counters_;
};

}  // namespace strowger::echo
