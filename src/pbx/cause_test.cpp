#include "pbx/cause.hpp"

#include <gtest/gtest.h>

namespace strowger::pbx {
namespace {

TEST(Cause, BecomesTheResponseOfTheMappingTable) {
    const std::pair<int, int> table[] = {
        {1, 404},  {2, 404},   {3, 404},  {17, 486}, {18, 408}, {19, 480}, {20, 480}, {21, 403},
        {22, 410}, {23, 302},  {27, 502}, {28, 484}, {29, 501}, {31, 480}, {34, 503}, {42, 503},
        {38, 500}, {127, 500}, {58, 488}, {66, 503}, {16, 603}, {0, 603},  {99, 603}};
    for (const auto& [cause, status] : table)
        EXPECT_EQ(sip_status(static_cast<Cause>(cause)), status) << cause;
}

TEST(Cause, ComesFromTheFinalResponseOfALeg) {
    const std::pair<int, int> table[] = {
        {401, 21}, {403, 21}, {407, 21},  {603, 21}, {404, 1},  {485, 1},  {604, 1},   {408, 18},
        {480, 19}, {483, 19}, {486, 17},  {600, 17}, {488, 58}, {606, 58}, {410, 22},  {484, 28},
        {500, 38}, {503, 34}, {504, 102}, {502, 27}, {501, 29}, {302, 23}, {420, 127}, {599, 34}};
    for (const auto& [status, cause] : table)
        EXPECT_EQ(static_cast<int>(cause_of_status(status)), cause) << status;
}

TEST(Cause, IsReadFromNumbersAndNames) {
    EXPECT_EQ(parse_cause("17"), Cause::user_busy);
    EXPECT_EQ(parse_cause(" user_busy "), Cause::user_busy);
    EXPECT_EQ(parse_cause("BUSY"), Cause::user_busy);
    EXPECT_EQ(parse_cause("AST_CAUSE_NO_ANSWER"), Cause::no_answer);
    EXPECT_EQ(parse_cause("-1"), std::nullopt);
    EXPECT_EQ(parse_cause("128"), std::nullopt);
    EXPECT_EQ(parse_cause("nonsense"), std::nullopt);
}

TEST(Cause, AStatusIsFoundInAReasonLikewise) {
    EXPECT_EQ(status_in_reason("SIP ;cause=600 ;text=\"Busy Everywhere\", Q.850 ;cause=17"), 600);
    EXPECT_EQ(status_in_reason("Q.850;cause=16"), std::nullopt);
    EXPECT_EQ(status_in_reason("SIP;cause=99"), std::nullopt);
    EXPECT_EQ(status_in_reason("SIP;cause=x"), std::nullopt);
}

TEST(Cause, IsFoundAmongSeveralReasons) {
    EXPECT_EQ(cause_in_reason("Q.850;cause=16;text=\"Terminated\""), Cause::normal_clearing);
    EXPECT_EQ(cause_in_reason("SIP ;cause=600 ;text=\"Busy Everywhere\", Q.850 ;cause=17"),
              Cause::user_busy);
    EXPECT_EQ(cause_in_reason("SIP;cause=200"), std::nullopt);
    EXPECT_EQ(cause_in_reason("Q.850;cause=999"), std::nullopt);
    EXPECT_EQ(cause_in_reason(""), std::nullopt);
}

}  // namespace
}  // namespace strowger::pbx
