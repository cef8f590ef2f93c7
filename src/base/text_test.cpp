#include "base/text.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace strowger {
namespace {

TEST(Text, ComparesWithoutCase) {
    EXPECT_TRUE(iequals("Via", "VIA"));
    EXPECT_FALSE(iequals("Via", "Vi"));
    EXPECT_FALSE(iequals("@", "`"));  // 0x20 apart, yet no letters
    EXPECT_TRUE(istarts_with("SIP/2.0", "sip/"));
    EXPECT_EQ(to_upper(to_lower("MiXeD-1\xc4")), "MIXED-1\xc4");
}

TEST(Text, TrimsAndSplits) {
    EXPECT_EQ(trim(" \t a b\r\n"), "a b");
    EXPECT_EQ(trim("  "), "");
    EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string_view>{"a", "", "b", ""}));
    EXPECT_EQ(split("", ','), std::vector<std::string_view>{""});
    EXPECT_EQ(split_once("a=b=c", '='),
              (std::pair<std::string_view, std::string_view>{"a", "b=c"}));
    EXPECT_EQ(split_once("abc", '='), (std::pair<std::string_view, std::string_view>{"abc", ""}));
}

TEST(Text, NumbersAreWholeOrNothing) {
    EXPECT_EQ(parse_number<int>("-12"), -12);
    EXPECT_EQ(parse_number<std::uint16_t>("65535"), 65535);
    EXPECT_EQ(parse_number<std::uint8_t>("200"), 200);
    for (const auto bad : {"", " 1", "1 ", "+1", "-1", "65536", "1x", "0x10"})
        EXPECT_FALSE(parse_number<std::uint16_t>(bad)) << bad;
}

TEST(Text, BooleansAreAsterisks) {
    for (const auto yes : {"yes", "TRUE", "y", "t", "1", "On"}) EXPECT_TRUE(is_true(yes)) << yes;
    for (const auto no : {"", "no", "2", "yess", " yes"}) EXPECT_FALSE(is_true(no)) << no;
}

TEST(Text, SuggestsTheNearestWordOrNone) {
    const std::vector<std::string_view> known{"remote_hosts", "transport", "aor"};
    EXPECT_EQ(nearest("remote_host", known), "remote_hosts");
    EXPECT_EQ(nearest("TRANSPROT", known), "transport");
    EXPECT_FALSE(nearest("xyz", known));
    EXPECT_FALSE(nearest(std::string(1000, 'a'), known));
}

TEST(Text, SuggestsWhatLiesWithinAThirdOfTheWordAndNoFurther) {
    EXPECT_EQ(nearest("abcdefghi", {"abcdefghixyz"}), "abcdefghixyz");  // three of nine added
    EXPECT_FALSE(nearest("abcdefghi", {"abcdefghiwxyz"}));
    EXPECT_EQ(nearest("abcdefghi", {"defghi"}), "defghi");  // three taken away
    EXPECT_FALSE(nearest("abcdefghi", {"efghi"}));
    EXPECT_EQ(nearest("abcdefghi", {"xbcdxfghx"}), "xbcdxfghx");  // three exchanged
    EXPECT_FALSE(nearest("abcdefghi", {"xbxdxfghx"}));
    EXPECT_EQ(nearest("abcdefghi", {"xabcefghiy"}), "xabcefghiy");  // one gone, two added
    EXPECT_EQ(nearest("abcdefghi", {"xbcdxfghx", "abcdefghj", "abcdefxyz"}), "abcdefghj");
    const std::string longest(128, 'a');
    EXPECT_EQ(nearest(longest, {longest + std::string(42, 'b')}), longest + std::string(42, 'b'));
    EXPECT_FALSE(nearest(longest, {longest + std::string(43, 'b'), std::string(5000, 'a')}));
    EXPECT_FALSE(nearest("", {"ab"}));
}

TEST(Text, WritesHexAndBigEndian) {
    EXPECT_EQ(to_hex(std::string_view("\x00\xff\x1a", 3)), "00ff1a");
    std::array<std::uint8_t, 6> bytes{};
    store16(bytes, 0, 0x0102);
    store32(bytes, 2, 0xfffefdfc);
    EXPECT_EQ(load16(bytes, 0), 0x0102);
    EXPECT_EQ(load32(bytes, 2), 0xfffefdfcu);
    EXPECT_EQ(to_hex(as_text(bytes)), "0102fffefdfc");
}

TEST(Random, RepeatsItselfWhenSeededAndStaysInBounds) {
    Random one{42}, same{42}, other{43};
    EXPECT_EQ(one.next(), same.next());
    EXPECT_NE(one.next(), other.next());
    std::array<int, 6> seen{};
    for (int i = 0; i < 6000; ++i) ++seen[one.below(6)];
    for (const int count : seen) EXPECT_NEAR(count, 1000, 150);
    EXPECT_LT(one.below(std::uint64_t{1} << 40), std::uint64_t{1} << 40);
    for (int i = 0; i < 1000; ++i) {
        const double value = one.between(0.8, 1.2);
        ASSERT_TRUE(value >= 0.8 && value < 1.2);
    }
    const auto token = one.token(20);
    EXPECT_EQ(token.size(), 20u);
    EXPECT_TRUE(
        std::all_of(token.begin(), token.end(), [](unsigned char c) { return std::isalnum(c); }));
    EXPECT_NE(Random::system().token(16), Random::system().token(16));
}

TEST(Time, ScalesAndCounts) {
    using namespace std::chrono_literals;
    EXPECT_EQ(scale(5s, 1.2), 6s);
    EXPECT_DOUBLE_EQ(seconds(1500ms), 1.5);
}

TEST(Result, CarriesItsErrorWithContextAndCode) {
    const auto failing = []() -> Result<int> {
        return fail_with(404, "{}: unknown key '{}'", "a.conf:3", "x");
    };
    const auto result = failing();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().text(), "a.conf:3: unknown key 'x'");
    const auto wider = result.error().within("reload");
    EXPECT_EQ(wider.text(), "reload: a.conf:3: unknown key 'x'");
    EXPECT_EQ(wider.code(), 404);
}

}  // namespace
}  // namespace strowger
