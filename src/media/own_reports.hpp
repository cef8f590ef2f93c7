#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "media/report_watch.hpp"
#include "media/stream_figures.hpp"
#include "wire/rtcp/compound_writer.hpp"
#include "wire/rtcp/packet.hpp"
#include "wire/rtp/receiver_statistics.hpp"

namespace strowger::media {

/// RTCP of our own with one party (RFC 3550 section 6): what it sends is followed, what is sent to
/// it is counted, and every `interval` there is a compound that says both. Or the figures alone,
/// for who wants to know how a stream fares about which nobody reports.
///
///     if (now >= reports.deadline()) {
///         const auto blocks = reports.collect(now, random);
///         send(reports.write(buffer, blocks, now, ntp, cname));
///     }
///
/// Allocates nothing. Of each way so many SSRCs are known at once as in StreamFigures; a further
/// one takes the place of that which was heard or sent longest ago.
class OwnReports {
public:
    static constexpr std::size_t max_sources = StreamFigures::max_ssrcs;
    /// On top of the interval, at random, so that many streams do not report in step.
    static constexpr Duration spread = std::chrono::seconds{1};
    /// No compound is longer.
    static constexpr std::size_t max_size = 512;

    struct Settings {
        bool generate = false;  ///< reports are sent; the party's own go no further
        bool measure = false;   ///< figures are kept of what the party sends
        Duration interval = std::chrono::seconds{5};
        /// Of what the party sends, by payload type; 0: as before (telephone-event, CN).
        std::array<std::uint32_t, 128> clock_rates{};
        ReportWatch::Terms heard;  ///< how what the party sends is judged
        bool operator==(const Settings&) const = default;
    };

    OwnReports(const Settings& settings, Random& random, Time now);

    const Settings& settings() const { return settings_; }
    /// What has been counted goes on.
    void set(const Settings& settings) { settings_ = settings; }

    /// RTP from the party, in the clear or at least with its header in the clear.
    void heard(const rtp::Header& header, std::size_t payload_size, Time now);
    /// RTCP from the party: when its sender reports came.
    void heard_report(Bytes compound, Time now);
    /// RTP to the party; its timestamps count in `clock_rate`.
    void sent(const rtp::Header& header, std::size_t payload_size, std::uint32_t clock_rate,
              Time now);

    Time deadline() const { return deadline_; }

    /// One block for each source that was heard since the last call, with its loss since then; the
    /// next deadline is an interval and a random part of `spread` later. There until the next call.
    std::span<const rtcp::ReportBlock> collect(Time now, Random& random);
    /// Timestamp units a second, of the source of a block.
    std::uint32_t clock_rate(std::uint32_t ssrc) const;

    /// A sender report for each SSRC that was sent since the report before the last (section 6.4),
    /// or else a receiver report under an SSRC of our own, and the name that goes with each. The
    /// first has the blocks. Empty: nothing was ever heard or sent, or `out` is too short.
    Bytes write(MutableBytes out, std::span<const rtcp::ReportBlock> blocks, Time now,
                std::uint64_t ntp, std::string_view cname);
    /// The last compound: a report, and a BYE for each SSRC that was sent to the party or reported
    /// under (section 6.6). Empty: there was none (section 6.3.7), or `out` is too short.
    Bytes write_goodbye(MutableBytes out, std::span<const rtcp::ReportBlock> blocks, Time now,
                        std::uint64_t ntp, std::string_view cname);

private:
    struct Heard {
        rtp::ReceiverStatistics statistics;
        std::uint32_t ssrc = 0;
        bool used = false, news = false;
        std::optional<std::uint32_t> last_sr;
        Time last{}, last_sr_at{};
    };
    struct Sent {
        std::uint32_t ssrc = 0, timestamp = 0, clock_rate = 8000;
        std::uint32_t packets = 0, octets = 0;  // modulo 2^32 (section 6.4.1)
        unsigned silent_reports = 0;            // since a packet went
        bool used = false;
        Time last{}, stamped{};
    };
    void schedule(Time now, Random& random);
    bool report(rtcp::CompoundWriter& compound, std::span<const rtcp::ReportBlock> blocks, Time now,
                std::uint64_t ntp, std::string_view cname);
    template <typename Source>
    static Source& place_of(std::array<Source, max_sources>& sources, std::uint32_t ssrc);

    Settings settings_;
    std::uint32_t own_ssrc_;
    bool own_told_ = false;  ///< a report went out under it
    Time deadline_;
    std::array<Heard, max_sources> heard_;
    std::array<Sent, max_sources> sent_;
    std::array<rtcp::ReportBlock, max_sources> blocks_;
};

/// Leaves of a compound what is not a report but a wish: feedback (RFC 4585), in place, after an
/// empty receiver report where the compound began with a report. Returns the size; 0: none was in
/// it.
std::size_t feedback_alone(MutableBytes compound);

}  // namespace strowger::media
