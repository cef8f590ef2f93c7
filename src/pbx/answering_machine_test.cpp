#include "pbx/answering_machine.hpp"

#include <gtest/gtest.h>

namespace strowger::pbx {
namespace {

/// Voice and silence in turn, milliseconds each, beginning with silence; then silence for ever.
std::string verdict(std::vector<int> pattern, config::Amd settings = {}) {
    AnsweringMachine machine(settings);
    media::TalkDetector detector(256);
    if (pattern.size() % 2 == 0) pattern.push_back(60'000);
    bool talking = false;
    const std::vector<std::int16_t> loud(160, 4000), quiet(160, 10);
    for (const int length : pattern) {
        for (int at = 0; at < length; at += 20) {
            std::optional<AnsweringMachine::Verdict> result;
            detector.feed(talking ? loud : quiet, [&](const auto& state) {
                result = machine.frame(state);
                return !result;
            });
            if (result) return result->status + " " + result->cause;
        }
        talking = !talking;
    }
    return "none";
}

TEST(AnsweringMachine, APersonSaysAWordAndWaits) {
    EXPECT_EQ(verdict({400, 500}), "HUMAN HUMAN-800-800");
    EXPECT_EQ(verdict({400, 300, 200, 400}), "HUMAN HUMAN-800-800");
}

TEST(AnsweringMachine, AMachineTalksOnOrBeginsLate) {
    EXPECT_EQ(verdict({400, 3000}), "MACHINE LONGGREETING-1500-1500");
    EXPECT_EQ(verdict({4000}), "MACHINE INITIALSILENCE-2500-2500");
    EXPECT_EQ(verdict({200, 300, 100, 300, 100, 300}), "MACHINE MAXWORDS-3-2");
}

TEST(AnsweringMachine, AClickIsNoWordAndAShortPauseNoneBetween) {
    EXPECT_EQ(verdict({200, 40, 3000}), "MACHINE INITIALSILENCE-2500-2500");
    EXPECT_EQ(verdict({200, 300, 20, 300, 20, 300}), "HUMAN HUMAN-800-800");
}

TEST(AnsweringMachine, IsNotSureWhenTimeIsOver) {
    config::Amd settings;
    settings.total_analysis_time = 1000;
    settings.greeting = 5000;
    EXPECT_EQ(verdict({100, 4000}, settings), "NOTSURE TOOLONG-1000");
    config::Amd words;
    words.maximum_word_length = 600;
    EXPECT_EQ(verdict({100, 4000}, words), "MACHINE MAXWORDLENGTH-600");
}

}  // namespace
}  // namespace strowger::pbx
