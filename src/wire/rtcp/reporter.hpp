#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "wire/rtcp/packet.hpp"
#include "wire/rtp/receiver_statistics.hpp"

namespace strowger::rtcp {

/// One end's RTCP bookkeeping for one stream each way: remembers the other's last SR, so that our
/// report block can say when it came, and reads from the other's reports how our own stream fares.
class Reporter {
public:
    explicit Reporter(std::uint32_t own_ssrc) : own_ssrc_(own_ssrc) {}

    /// Everything of a received compound that concerns us.
    void receive(const Compound& compound, Time now, std::uint64_t ntp_now);

    /// Our block about what we receive; starts the next loss interval (RFC 3550 section 6.4.1).
    ReportBlock report(rtp::ReceiverStatistics& received, Time now);

    // How our stream fares, as the other end last said.
    const std::optional<ReportBlock>& remote_view() const { return remote_view_; }
    std::optional<Duration> round_trip() const { return round_trip_; }
    bool bye_received() const { return bye_; }

private:
    std::uint32_t own_ssrc_;
    std::optional<std::uint32_t> last_sr_;
    std::uint32_t last_sr_ssrc_ = 0;
    Time last_sr_at_{};
    std::optional<ReportBlock> remote_view_;
    std::optional<Duration> round_trip_;
    bool bye_ = false;
};

}  // namespace strowger::rtcp
