#include "base/regex_bound.hpp"

#include <gtest/gtest.h>

#include <string>

namespace strowger {
namespace {

TEST(RegexBound, LetsOrdinaryExpressionsThrough) {
    for (const auto* regex : {"", "^[0-9]+$", "a+b+c+d+e+f+g+h+i+j+k+l+m+n+",
                              "^\\+49([0-9]{2,12})$", "(ab)+(cd)+", "(a{20}){20}"})
        EXPECT_FALSE(regex_explodes(regex)) << regex;
}

TEST(RegexBound, StopsWhatTheLibraryWouldWriteOutAThousandTimes) {
    EXPECT_TRUE(regex_explodes("a" + std::string(62, '+')));
    EXPECT_TRUE(regex_explodes("a+*+*+*+*+*+*+*+*+*+*+*+"));
    EXPECT_TRUE(regex_explodes("((((((((((a)+)+)+)+)+)+)+)+)+)+"));
    EXPECT_TRUE(regex_explodes("((a{100}){100}){100}"));
    EXPECT_TRUE(regex_explodes("a{99999}"));
}

// Found by the fuzzer: each repetition of a repetition takes the compiler many times as long.
TEST(RegexBound, RepetitionsOfRepetitionsExplodeWhateverTheirSign) {
    for (const char sign : {'*', '?', '+'}) {
        EXPECT_TRUE(regex_explodes("^." + std::string(100, sign) + "$")) << sign;
        std::string nested = "a";
        for (int i = 0; i < 20; ++i) nested = "(" + nested + ")" + sign;
        EXPECT_TRUE(regex_explodes(nested)) << sign;
    }
    EXPECT_TRUE(regex_explodes("^.*++++++."));
    EXPECT_TRUE(regex_explodes("((.*+){20}){20}"));
    EXPECT_FALSE(regex_explodes("^(\\+?[0-9]*)?(;.*)*$"));
    EXPECT_FALSE(regex_explodes("^[]+*{99999}]\\+\\*[^]*]$")) << "none of these repeats";
    EXPECT_FALSE(regex_explodes("))){"));
}

}  // namespace
}  // namespace strowger
