#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "media/e_model.hpp"
#include "media/stream_figures.hpp"
#include "wire/rtcp/packet.hpp"

namespace strowger::media {

/// Reads from RTCP that passes what one party says of the streams that it hears: loss, jitter, the
/// time there and back (RFC 3550 section 6.4), and what that makes of a call (ITU-T G.107).
///
/// It keeps only when sender reports went to the party. Allocates nothing.
class ReportWatch {
public:
    /// What the party hears.
    struct Terms {
        std::uint32_t clock_rate = 8000;
        CodecImpairment codec{.ie = 0, .bpl = 25.1};
        bool listening = false;  ///< MOS-LQ: as it sounds, whatever the delay; else MOS-CQ
        bool operator==(const Terms&) const = default;
    };

    void sent(Bytes compound, Time now);
    /// `heard` tells whether the party is sent that SSRC: of others it has nothing to say.
    template <typename Heard>
    void received(Bytes compound, Time now, const Terms& terms,
                  std::span<StreamFigures::Quality> told, Heard heard) {
        const auto parts = rtcp::Compound::parse(compound, rtcp::Strictness::reduced);
        if (!parts) return;
        const auto each = [&](const rtcp::ReportBlocks& blocks) {
            for (std::size_t i = 0; i < blocks.size(); ++i)
                if (heard(blocks[i].ssrc)) sample(blocks[i], now, terms, told);
        };
        for (const auto& part : *parts) {
            if (const auto report = rtcp::SenderReport::parse(part)) each(report->blocks);
            if (const auto report = rtcp::ReceiverReport::parse(part)) each(report->blocks);
        }
    }

    /// One sample, of a block that came or of one that we made of what we heard ourselves.
    void sample(const rtcp::ReportBlock& block, Time now, const Terms& terms,
                std::span<StreamFigures::Quality> told) const;

private:
    // A party answers for the newest or, when both cross, the one before.
    struct Sent {
        std::uint32_t middle = 0;  ///< of the NTP time, as LSR gives it back; 0: none
        Time at{};
    };
    std::array<Sent, 4> sent_{};
    std::size_t next_ = 0;
};

}  // namespace strowger::media
