#include "pbx/statsd.hpp"

#include <gtest/gtest.h>

namespace strowger::pbx {
namespace {

std::string line(std::string_view type, std::string_view name, std::string_view value,
                 double rate = 1) {
    return statsd_line(type, name, value, rate).value_or("refused");
}

// As the protocol's own description shows them.
TEST(Statsd, WritesNumbersAsServersReadThem) {
    EXPECT_EQ(line("c", "gorets", "1"), "gorets:1|c");
    EXPECT_EQ(line("c", "gorets", "1", 0.1), "gorets:1|c|@0.1");
    EXPECT_EQ(line("ms", "glork", "320"), "glork:320|ms");
    EXPECT_EQ(line("g", "gaugor", "333"), "gaugor:333|g");
    EXPECT_EQ(line("g", "gaugor", "-10"), "gaugor:-10|g");
    EXPECT_EQ(line("g", "gaugor", "+4"), "gaugor:+4|g");
    EXPECT_EQ(line("s", "uniques", "765 of alice"), "uniques:765 of alice|s");
}

TEST(Statsd, RefusesWhatAServerWouldReadOtherwise) {
    EXPECT_EQ(line("m", "meter", "1"), "refused");
    EXPECT_EQ(line("c", "", "1"), "refused");
    EXPECT_EQ(line("c", "a|b", "1"), "refused");
    EXPECT_EQ(line("c", "a:b", "1"), "refused");
    EXPECT_EQ(line("c", "a", "many"), "refused");
    EXPECT_EQ(line("c", "a", "--1"), "refused");
    EXPECT_EQ(line("c", "a", "nan"), "refused");
    EXPECT_EQ(line("ms", "a", "-1"), "refused");
    EXPECT_EQ(line("s", "a", "x|c"), "refused");
    EXPECT_EQ(line("s", "a", "x\nb:1|c"), "refused");
    EXPECT_EQ(line("s", "a", std::string(600, 'x')), "refused");
}

}  // namespace
}  // namespace strowger::pbx
