#include "pbx/spoken.hpp"

#include <gtest/gtest.h>

#include "pbx/dialplan/time_spec.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/recordings.hpp"

namespace strowger::pbx {
namespace {

const Speech& english() { return Speech::of("en"); }

TEST(EnglishSpeech, BuildsNumbersFromUnitsTensAndScales) {
    EXPECT_EQ(english().number(0), (Spoken{"digits/0"}));
    EXPECT_EQ(english().number(20), (Spoken{"digits/20"}));
    EXPECT_EQ(english().number(-342),
              (Spoken{"digits/minus", "digits/3", "digits/hundred", "digits/40", "digits/2"}));
    EXPECT_EQ(english().number(1'000'017), (Spoken{"digits/1", "digits/million", "digits/17"}));
    EXPECT_EQ(english().number(25'100),
              (Spoken{"digits/20", "digits/5", "digits/thousand", "digits/1", "digits/hundred"}));
}

TEST(EnglishSpeech, SaysTheSmallestNumberWithoutOverflow) {
    const auto said = english().number(std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(said.front(), "digits/minus");
    EXPECT_LE(said.size(), max_spoken);
}

TEST(EnglishSpeech, ChangesOnlyTheLastWordOfAnOrdinal) {
    EXPECT_EQ(english().ordinal(23), (Spoken{"digits/20", "digits/h-3"}));
    EXPECT_EQ(english().ordinal(200), (Spoken{"digits/2", "digits/h-hundred"}));
    EXPECT_EQ(english().ordinal(1), (Spoken{"digits/h-1"}));
}

TEST(EnglishSpeech, SaysDollarsAndCents) {
    EXPECT_EQ(english().money(2), (Spoken{"digits/2", "cents"}));
    EXPECT_EQ(english().money(1201), (Spoken{"digits/12", "dollars", "and", "digits/1", "cent"}));
}

TEST(EnglishSpeech, SpellsWithTheNamesOfTheRecordings) {
    EXPECT_EQ(english().letters("aB!{"),
              (Spoken{"letters/a", "letters/b", "letters/exclaimation-point", "letters/ascii123"}));
    EXPECT_EQ(english().phonetic("x9"), (Spoken{"phonetic/x_p", "digits/9"}));
    EXPECT_EQ(english().digits("1-*#z"),
              (Spoken{"digits/1", "digits/minus", "digits/star", "digits/pound"}));
}

TEST(EnglishSpeech, SaysATimeByItsFormat) {
    // 2026-11-22 was a Sunday.
    const auto at = dialplan::in_zone(WallTime(std::chrono::seconds{1795346705}), "UTC");
    ASSERT_EQ(at.tm_mday, 22);
    EXPECT_EQ(english().time(at, at, "ABdY 'digits/at' IMp"),
              (Spoken{"digits/day-0", "digits/mon-10", "digits/20", "digits/h-2", "digits/20",
                      "digits/20", "digits/6", "digits/at", "digits/11", "digits/20", "digits/5",
                      "digits/a-m"}));
    EXPECT_EQ(english().time(at, at, "Q"), (Spoken{"digits/today"}));
    EXPECT_EQ(english().time(at, at, "'unterminated"), (Spoken{"unterminated"}));
}

TEST(OptionLetters, TakeArgumentsInNestedBrackets) {
    const OptionLetters options("gm(jazz)U(sub^a(b))x(");
    EXPECT_TRUE(options.has('g'));
    EXPECT_EQ(options.argument('m'), "jazz");
    EXPECT_EQ(options.argument('U'), "sub^a(b)");
    EXPECT_EQ(options.argument('x'), "");
    EXPECT_FALSE(options.has('z'));
}

TEST(RecordingPath, IsBelowTheDirectoryAndAlwaysWav) {
    EXPECT_EQ(recording_path("a/b.gsm", "/spool").value(), "/spool/a/b.wav");
    EXPECT_EQ(recording_path("b:ulaw", "/spool").value(), "/spool/b.wav");
    EXPECT_EQ(recording_path("1763802000.17", "/spool").value(), "/spool/1763802000.17.wav");
    EXPECT_EQ(recording_path("/tmp/x.wav", "/spool").value(), "/tmp/x.wav");
    EXPECT_EQ(recording_path("n%d.wav", "/nowhere").value(), "/nowhere/n0.wav");
}

TEST(RecordingPath, RefusesNamesThatLeaveTheirDirectory) {
    for (const auto* name : {"../x", "a/../../x.wav", "/tmp/../etc/x", "", "dir/"})
        EXPECT_FALSE(recording_path(name, "/spool")) << name;
}

}  // namespace
}  // namespace strowger::pbx
