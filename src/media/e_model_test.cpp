#include "media/e_model.hpp"

#include <gtest/gtest.h>

namespace strowger::media {
namespace {

using namespace std::chrono_literals;

TEST(EModel, AGoodG711CallHasMos441) {
    EXPECT_NEAR(rating_factor({}, impairment_of("PCMU")), 93.2, 0.01);
    EXPECT_NEAR(mos({}, "pcma"), 4.41, 0.005);
}

// G.107 annex B, table B.1: R 90, 80, 70, 60, 50 are MOS 4.34, 4.03, 3.60, 3.10, 2.58.
TEST(EModel, TurnsRatingsIntoTheOpinionsOfAnnexB) {
    EXPECT_NEAR(mos_of(90), 4.34, 0.005);
    EXPECT_NEAR(mos_of(80), 4.03, 0.01);
    EXPECT_NEAR(mos_of(70), 3.60, 0.005);
    EXPECT_NEAR(mos_of(60), 3.10, 0.005);
    EXPECT_NEAR(mos_of(50), 2.58, 0.005);
    EXPECT_EQ(mos_of(-5), 1);
    EXPECT_EQ(mos_of(100), 4.5);
}

TEST(EModel, CountsLossBurstsDelayAndCodec) {
    // 95 * 2 / (2 + 25.1) = 7.0
    EXPECT_NEAR(rating_factor({.loss_percent = 2}, impairment_of("PCMU")), 86.19, 0.01);
    EXPECT_LT(rating_factor({.loss_percent = 2, .burst_ratio = 4}, impairment_of("PCMU")), 86);
    EXPECT_NEAR(rating_factor({.one_way_delay = 100ms}, impairment_of("PCMU")), 93.2, 0.01);
    EXPECT_NEAR(rating_factor({.one_way_delay = 400ms}, impairment_of("PCMU")), 93.2 - 24, 2);
    EXPECT_NEAR(rating_factor({}, impairment_of("G729")), 82.2, 0.01);
    EXPECT_LT(mos({.loss_percent = 100}, "PCMU"), 1.6);
}

}  // namespace
}  // namespace strowger::media
