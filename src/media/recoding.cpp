#include "media/recoding.hpp"

#include "media/transcoder.hpp"

namespace strowger::media {

Recoding::Recoding(Recoder::Plan plan, Random& random, RecodingLane* lane)
    : lane_(lane), recoder_(std::move(plan), random), sent_(recoder_.figures()) {
    if (lane_) lane_->transcoder().join();
}

Recoding::~Recoding() {
    if (lane_) lane_->transcoder().leave();
}

}  // namespace strowger::media
