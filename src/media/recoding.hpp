#pragma once

#include <memory>

#include "media/recoder.hpp"

namespace strowger::media {

class RecodingLane;
class RelayStream;

/// One direction of a call that goes through a recoder, and where: on the thread that receives, or
/// on a transcoder, if sound is decoded and encoded.
///
/// Shared by the call's owner, who keeps it over new offers, by the media thread, and by packets of
/// its that are under way to the transcoder and back: who is last lets it go.
class Recoding {
public:
    /// No lane: in place.
    Recoding(Recoder::Plan plan, Random& random, RecodingLane* lane);
    ~Recoding();
    Recoding(const Recoding&) = delete;

    RecodingLane* lane() const { return lane_; }

    /// The transcoder's, or in place that of the media thread.
    Recoder& recoder() { return recoder_; }

    // The media thread's.
    /// Whom what comes out is for; null: nobody any more.
    RelayStream* to() const { return to_; }
    void aim(RelayStream* to) { to_ = to; }
    /// As far as what came out has been sent.
    const Recoder::Figures& figures() const { return lane_ ? sent_ : recoder_.figures(); }
    void sent(const Recoder::Figures& figures) { sent_ = figures; }

private:
    RecodingLane* const lane_;
    Recoder recoder_;
    RelayStream* to_ = nullptr;
    Recoder::Figures sent_;
};

}  // namespace strowger::media
