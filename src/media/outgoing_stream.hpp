#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "media/recoder.hpp"
#include "wire/rtp/rewriter.hpp"

namespace strowger::media {

/// The one stream that a party gets from us, from the first thing on that we made for it ourselves:
/// what is transcoded for it, a file, keys, and then whatever passes through. One SSRC, sequence
/// numbers without gaps of our making, timestamps that go on by the time that passed, whoever
/// speaks and in whichever codec (RFC 3550 section 5.1).
///
/// It belongs to the media thread that sends, wherever the packets were made, so that a change of
/// codecs hands nothing over. It keeps what RTCP has to be told (`Recoder::rewrite_rtcp`).
class OutgoingStream {
public:
    /// Where nothing was sent before: all is random.
    explicit OutgoingStream(Random& random) : rewriter_(random) {}
    /// Goes on after a packet that had this header.
    OutgoingStream(const rtp::Header& last, Time sent_at);

    /// Of what is sent from now on; a change takes effect with the next source.
    void set_clock_rate(std::uint32_t clock_rate);

    /// Rewrites the packet that goes out next. `source` is what the recoder that made it says of
    /// itself; null, or not of its own: the packet is the other party's. False: it comes too late.
    bool forward(MutableBytes packet, const Recoder::Figures* source, Time now);

    /// For packets of our own making, which `count` is told.
    rtp::Rewriter& rewriter() { return rewriter_; }
    void count(Bytes packet);

    const Recoder::Figures& figures() const { return figures_; }

private:
    rtp::Rewriter rewriter_;
    Recoder::Figures figures_{.own = true};
    std::uint32_t clock_rate_ = 8000;
};

}  // namespace strowger::media
