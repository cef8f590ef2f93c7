#include "pbx/dialplan/pattern.hpp"

#include <gtest/gtest.h>

#include "pbx/dialplan/fixture.hpp"

namespace strowger::dialplan {
namespace {

using testing::plan_of;

Pattern pattern(std::string_view text) { return *Pattern::compile(text); }

bool matches(std::string_view text, std::string_view digits) {
    return pattern(text).match(digits) == Pattern::Match::full;
}

TEST(Pattern, LettersSetsAndWildcards) {
    EXPECT_TRUE(matches("_NXXZ", "2001"));
    EXPECT_FALSE(matches("_NXXZ", "1001"));
    EXPECT_FALSE(matches("_NXXZ", "2000"));
    EXPECT_TRUE(matches("_nxxz", "2001"));
    EXPECT_TRUE(matches("_[1-3a*]X", "a7"));
    EXPECT_TRUE(matches("_[1-3a*]X", "*7"));
    EXPECT_FALSE(matches("_[1-3a*]X", "47"));
    EXPECT_TRUE(matches("_0X.", "001"));
    EXPECT_FALSE(matches("_0X.", "00"));
    EXPECT_TRUE(matches("_0X!", "00"));
    EXPECT_TRUE(matches("_555-1212", "5551212"));
    EXPECT_TRUE(matches("_+46.", "+46812"));
    EXPECT_TRUE(matches("100", "100"));
    EXPECT_FALSE(matches("100", "1001"));
}

TEST(Pattern, CollectingGoesOnOnlyWhileMoreCouldMatch) {
    EXPECT_TRUE(pattern("_1XX").could_match_longer("1"));
    EXPECT_FALSE(pattern("_1XX").could_match_longer("100"));
    EXPECT_FALSE(pattern("_1XX").could_match_longer("2"));
    EXPECT_TRUE(pattern("_1.").could_match_longer("123"));
    EXPECT_FALSE(pattern("_1!").could_match_longer("1"));
    EXPECT_TRUE(pattern("100").could_match_longer("10"));
}

TEST(Pattern, MistakesAreErrors) {
    EXPECT_FALSE(Pattern::compile("_[12"));
    EXPECT_FALSE(Pattern::compile("_[]"));
    EXPECT_FALSE(Pattern::compile("_[9-1]"));
    EXPECT_FALSE(Pattern::compile("_1.2"));
}

TEST(Pattern, OrderOfChoiceIsLiteralThenSmallerSetsThenDotThenBang) {
    // [v]: literal 7531 > _75[13]! > _75[2-5]X > _75NX > _75XX > _75.
    const std::vector<std::string> order{"7531", "_75[13]!", "_75[2-5]X", "_75NX", "_75XX", "_75."};
    std::string reversed;
    for (auto name = order.rbegin(); name != order.rend(); ++name)
        reversed += fmt::format("exten => {},1,Say({})\n", *name, *name);
    std::string text = "[c]\n" + reversed;
    for (std::size_t i = 0; i < order.size(); ++i) {
        ini::Diagnostics diagnostics;
        const auto plan = plan_of(text, diagnostics);
        const auto found = plan->find("c", "7531", 1, {});
        ASSERT_TRUE(found);
        EXPECT_EQ(found->step->arguments, order[i]);
        // Without the winner the next one wins.
        const auto line = fmt::format("exten => {},1,Say({})\n", order[i], order[i]);
        text.erase(text.find(line), line.size());
    }
    EXPECT_EQ((pattern("_75.") <=> pattern("_75!")), std::strong_ordering::less);
}

}  // namespace
}  // namespace strowger::dialplan
