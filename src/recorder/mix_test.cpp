#include "recorder/mix.hpp"

#include <gtest/gtest.h>

namespace strowger::recorder {
namespace {

using namespace std::chrono_literals;

std::vector<Sample> constant(std::size_t count, Sample value) {
    return std::vector<Sample>(count, value);
}

struct Written {
    std::vector<Sample> all;
    Mix mix;
    explicit Written(unsigned channels = 1, std::uint32_t rate = 8000)
        : mix(rate, channels, [this](std::span<const Sample> samples) {
              all.insert(all.end(), samples.begin(), samples.end());
          }) {}
};

TEST(Mix, AddsVoicesWhereTheyWereSpokenAndCutsWhatIsTooLoud) {
    Written written;
    written.mix.put(0, 8000, 5s, constant(800, 1000));
    written.mix.put(1, 8000, 5s + 50ms, constant(800, 200));
    written.mix.put(2, 8000, 5s + 50ms, constant(80, 32000));
    written.mix.finish();
    ASSERT_EQ(written.all.size(), 1200U);
    EXPECT_EQ(written.all[399], 1000);
    EXPECT_EQ(written.all[400], 32767);
    EXPECT_EQ(written.all[480], 1200);
    EXPECT_EQ(written.all[800], 200);
}

TEST(Mix, GivesEachPartyAChannelAndMoreThanThatShare) {
    Written written(2);
    for (unsigned party = 0; party < 5; ++party)
        written.mix.put(party * 7, 8000, 1s, constant(8, static_cast<Sample>(1 << party)));
    written.mix.finish();
    ASSERT_EQ(written.all.size(), 16U);
    EXPECT_EQ(written.all[0], 1 + 4 + 16);
    EXPECT_EQ(written.all[1], 2 + 8);
}

TEST(Mix, SilenceStandsWhereNobodySpokeHoweverLong) {
    Written written;
    written.mix.put(0, 8000, 1s, constant(160, 7));
    written.mix.put(1, 8000, 1s + 10min, constant(160, 9));
    written.mix.finish();
    ASSERT_EQ(written.all.size(), 600U * 8000 + 160);
    EXPECT_EQ(written.all[159], 7);
    EXPECT_EQ(written.all[160], 0);
    EXPECT_EQ(written.all[600 * 8000], 9);
    // A jump that no call makes is not followed.
    written.mix.put(1, 8000, 100h, constant(160, 9));
    written.mix.finish();
    EXPECT_EQ(written.all.size(), 600U * 8000 + 160);
}

TEST(Mix, BringsAllToOneRate) {
    Written written(1, 16000);
    for (int i = 0; i < 50; ++i) {
        written.mix.put(0, 8000, 1s + i * 20ms, constant(160, 1000));
        written.mix.put(1, 16000, 1s + i * 20ms, constant(320, 500));
    }
    written.mix.finish();
    ASSERT_EQ(written.all.size(), 16000U);
    EXPECT_NEAR(written.all[8000], 1500, 20);
}

}  // namespace
}  // namespace strowger::recorder
