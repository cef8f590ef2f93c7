#include "pbx/dialplan/expression.hpp"

#include <gtest/gtest.h>

namespace strowger::dialplan {
namespace {

std::string value(std::string_view text) {
    const auto result = evaluate(text);
    return result ? *result : "error: " + result.error().text();
}

TEST(Expression, ArithmeticIsFloatingPointWithoutTrailingZeros) {  // [v]
    EXPECT_EQ(value("9/2"), "4.5");
    EXPECT_EQ(value("8%3"), "2");
    EXPECT_EQ(value("9-3-2"), "4");
    EXPECT_EQ(value("2+3*4"), "14");
    EXPECT_EQ(value("(2+3)*4"), "20");
    EXPECT_EQ(value("0.1 + 0.2"), "0.3");
    EXPECT_EQ(value("-3 + 1"), "-2");
    EXPECT_EQ(value("1234567890123456 + 1"), "1234567890123457");
}

TEST(Expression, QuotedTokensKeepTheirQuotesForComparison) {  // [v]
    EXPECT_EQ(value("\"a\" = \"a\""), "1");
    EXPECT_EQ(value("\"3\" < \"20\""), "0");
    EXPECT_EQ(value("3 < 20"), "1");
    EXPECT_EQ(value("\"\" = \"\""), "1");
    EXPECT_EQ(value("abc != abd"), "1");
}

TEST(Expression, OrGivesTheFirstThatIsTrueAndAndTheFirstOfTwo) {  // [v]
    EXPECT_EQ(value("4&6"), "4");
    EXPECT_EQ(value("0&6"), "0");
    EXPECT_EQ(value("4&0"), "0");
    EXPECT_EQ(value("0|7"), "7");
    EXPECT_EQ(value("3||7"), "3");
    EXPECT_EQ(value("1 = 1 & 2 = 2"), "1");
}

TEST(Expression, MatchingGivesTheLengthOrTheGroup) {  // [v]
    EXPECT_EQ(value("\"telephone\" : \"tele\""), "4");
    EXPECT_EQ(value("\"telephone\" : \"phone\""), "0");
    EXPECT_EQ(value("\"telephone\" =~ \"phone\""), "5");
    EXPECT_EQ(value("\"telephone\" =~ \"le(ph)o\""), "ph");
    EXPECT_EQ(value("\"telephone\" =~ \"(x)\""), "");
    EXPECT_EQ(value("abc123 : \"[a-z]+([0-9]+)\""), "123");
    EXPECT_EQ(value("\"ab\" ~~ \"cd\""), "abcd");
}

TEST(Expression, TheConditionalHasADoubleColon) {
    EXPECT_EQ(value("1 ? yes :: no"), "yes");
    EXPECT_EQ(value("0 ? yes :: no"), "no");
    EXPECT_EQ(value("2 > 1 ? 3 + 4 :: 5"), "7");
    EXPECT_EQ(value("!1"), "0");
    EXPECT_EQ(value("!0 + 1"), "2");
}

TEST(Expression, FunctionsMayBeCalled) {
    EXPECT_EQ(value("ROUND(2.5)"), "3");
    EXPECT_EQ(value("FLOOR(-2.5) + POW(2, 3)"), "5");
    EXPECT_EQ(*evaluate("LEN(a b) + 1",
                        [](auto name, auto args) -> Result<std::string> {
                            EXPECT_EQ(name, "LEN");
                            return std::to_string(args.size());
                        }),
              "4");
}

TEST(Expression, MistakesAreErrorsAndNothingElse) {
    EXPECT_FALSE(evaluate(" = 1"));
    EXPECT_FALSE(evaluate("1 +"));
    EXPECT_FALSE(evaluate("(1"));
    EXPECT_FALSE(evaluate("\"open"));
    EXPECT_FALSE(evaluate("1 / 0"));
    EXPECT_FALSE(evaluate("1 ? 2"));
    EXPECT_FALSE(evaluate(std::string(5000, '(')));
    EXPECT_FALSE(evaluate(std::string(5000, '!')));
    EXPECT_FALSE(evaluate("\"a\" : \"(a{200}){200}\""));
    EXPECT_EQ(value(""), "");
}

TEST(Condition, IsFalseWhenEmptyOrZero) {
    EXPECT_FALSE(is_true_condition(""));
    EXPECT_FALSE(is_true_condition("0"));
    EXPECT_TRUE(is_true_condition("1"));
    EXPECT_TRUE(is_true_condition("no"));
    EXPECT_TRUE(is_true_condition("0.5"));
}

}  // namespace
}  // namespace strowger::dialplan
