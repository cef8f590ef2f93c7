#include "base/utf8.hpp"

#include <gtest/gtest.h>

namespace strowger {
namespace {

using namespace std::string_view_literals;

// The examples of RFC 3629 section 7, and the edges of section 4.
TEST(Utf8, TakesWhatTheStandardAllows) {
    for (const auto good : {""sv, "A\xe2\x89\xa2\xce\x91."sv, "\xed\x95\x9c\xea\xb5\xad"sv,
                            "\xef\xbb\xbf\xf0\xa3\x8e\xb4"sv, "\0"sv, "\x7f"sv, "\xc2\x80"sv,
                            "\xdf\xbf"sv, "\xe0\xa0\x80"sv, "\xed\x9f\xbf"sv, "\xee\x80\x80"sv,
                            "\xf0\x90\x80\x80"sv, "\xf4\x8f\xbf\xbf"sv})
        EXPECT_TRUE(is_utf8(good)) << testing::PrintToString(std::string(good));
}

TEST(Utf8, RefusesOverlongFormsSurrogatesAndPieces) {
    for (const auto bad :
         {"\x80"sv, "\xc0\x80"sv, "\xc1\xbf"sv, "\xe0\x9f\xbf"sv, "\xed\xa0\x80"sv,
          "\xf0\x8f\xbf\xbf"sv, "\xf4\x90\x80\x80"sv, "\xf5\x80\x80\x80"sv, "\xff"sv, "\xc2"sv,
          "\xe2\x89"sv, "\xf0\xa3\x8e"sv, "\xc2\x41"sv, "good \xe2\x28\xa1"sv})
        EXPECT_FALSE(is_utf8(bad)) << testing::PrintToString(std::string(bad));
}

TEST(Utf8, TellsTheSizeOfACharacter) {
    EXPECT_EQ(utf8_size("A\xc3\xbc"), 1u);
    EXPECT_EQ(utf8_size("\xc3\xbc"), 2u);
    EXPECT_EQ(utf8_size("\xe2\x82\xac!"), 3u);
    EXPECT_EQ(utf8_size("\xf0\x9f\x93\x9e"), 4u);
    EXPECT_EQ(utf8_size("\xbc"), 0u);
    EXPECT_EQ(utf8_size(""), 0u);
}

}  // namespace
}  // namespace strowger
