#include "broker/shell_words.hpp"

#include <gtest/gtest.h>

#include "broker/byte_range.hpp"

namespace strowger::broker {
namespace {

using Words = std::vector<std::string>;

TEST(ShellWords, QuotesAndBackslashesGroupAsInAShell) {
    EXPECT_EQ(shell_words("  a  'b c' \"d \\\"e\\\" \\f\" g\\ h '' i'j'\"k\""),
              (Words{"a", "b c", "d \"e\" \\f", "g h", "", "ijk"}));
    EXPECT_EQ(shell_words(""), Words{});
}

TEST(ShellWords, WhatIsLeftOpenIsAnError) {
    EXPECT_FALSE(shell_words("'a"));
    EXPECT_FALSE(shell_words("\"a"));
    EXPECT_FALSE(shell_words("a\\"));
}

TEST(ByteRange, TheWholeAPartOrNothing) {
    EXPECT_EQ(part_of("0123456789", "").status, 200);
    EXPECT_EQ(part_of("0123456789", "bytes=2-4").body, "234");
    EXPECT_EQ(part_of("0123456789", "bytes=8-99").body, "89");
    EXPECT_EQ(part_of("0123456789", "bytes=-3").body, "789");
    EXPECT_EQ(part_of("0123456789", "bytes=-99").body, "0123456789");
    EXPECT_EQ(part_of("0123456789", "bytes=10-").status, 416);
    EXPECT_EQ(part_of("", "bytes=0-").status, 416);
    EXPECT_EQ(part_of("", "bytes=-1").status, 416);
    // Several ranges, and nonsense, get the whole (RFC 9110 section 14.2).
    EXPECT_EQ(part_of("0123456789", "bytes=0-1,3-4").status, 200);
    EXPECT_EQ(part_of("0123456789", "bytes=4-2").status, 200);
    EXPECT_EQ(part_of("0123456789", "lines=1-2").status, 200);
}

}  // namespace
}  // namespace strowger::broker
