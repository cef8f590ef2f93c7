#include "pbx/feature_digits.hpp"

#include <gtest/gtest.h>

namespace strowger::pbx {
namespace {

constexpr DigitFeatures everything{
    .transfer = true, .disconnect = true, .park = true, .record = true};

std::optional<Feature> dial(std::string_view keys, const config::Features& codes,
                            const DigitFeatures& granted, FeatureDigits& digits) {
    std::optional<Feature> found;
    for (const char key : keys)
        if (const auto feature = digits.press(key, codes, granted)) found = feature;
    return found;
}

TEST(FeatureDigits, FindACodeAmongOtherDigits) {
    config::Features codes;
    FeatureDigits digits;
    EXPECT_EQ(dial("123", codes, everything, digits), std::nullopt);
    EXPECT_EQ(dial("45#", codes, everything, digits), Feature::blind_transfer);
    EXPECT_EQ(dial("*", codes, everything, digits), Feature::disconnect);
}

TEST(FeatureDigits, GiveNothingThatWasNotGranted) {
    config::Features codes;
    FeatureDigits digits;
    EXPECT_EQ(dial("#*", codes, {}, digits), std::nullopt);
    EXPECT_EQ(dial("#", codes, {.disconnect = true}, digits), std::nullopt);
    EXPECT_EQ(dial("*1", codes, {.transfer = true}, digits), std::nullopt);
    EXPECT_EQ(dial("*1", codes, {.consultation = true}, digits), Feature::abort);
    EXPECT_EQ(dial("*2", codes, {.consultation = true}, digits), Feature::complete);
    EXPECT_EQ(dial("*4", codes, {.consultation = true}, digits), Feature::swap);
}

TEST(FeatureDigits, WaitForALongerCodeBeforeTheShorterOneCounts) {
    config::Features codes;
    codes.atxfer = "*2";
    FeatureDigits digits;
    EXPECT_EQ(digits.press('*', codes, everything), std::nullopt);
    EXPECT_EQ(digits.press('2', codes, everything), Feature::attended_transfer);
    EXPECT_EQ(digits.press('*', codes, everything), std::nullopt);
    EXPECT_EQ(digits.pause(codes, everything), Feature::disconnect);
    EXPECT_EQ(digits.pause(codes, everything), std::nullopt);
}

TEST(FeatureDigits, OfACodeThatBrokeOffMayBeginAnother) {
    config::Features codes;
    codes.atxfer = "*2";
    codes.parkcall = "##1";
    codes.blindxfer = "";
    codes.disconnect = "";
    FeatureDigits digits;
    EXPECT_EQ(dial("#*2", codes, everything, digits), Feature::attended_transfer);
    EXPECT_EQ(dial("###1", codes, everything, digits), Feature::park);
}

TEST(CodeDigits, TellWhichCodeIsCompleteAndWaitForLongerOnes) {
    CodeDigits digits;
    const std::vector<std::string_view> codes{"*9", "*91", "#1"};
    EXPECT_EQ(digits.press('5', codes), std::nullopt);
    EXPECT_EQ(digits.press('#', codes), std::nullopt);
    EXPECT_EQ(digits.press('1', codes), 2u);
    EXPECT_EQ(digits.press('*', codes), std::nullopt);
    EXPECT_EQ(digits.press('9', codes), std::nullopt);
    EXPECT_EQ(digits.pause(codes), 0u);
    for (const char c : std::string("*9")) EXPECT_EQ(digits.press(c, codes), std::nullopt);
    EXPECT_EQ(digits.press('1', codes), 1u);
    EXPECT_TRUE(digits.empty());
}

}  // namespace
}  // namespace strowger::pbx
