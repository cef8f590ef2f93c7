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

}  // namespace
}  // namespace strowger
