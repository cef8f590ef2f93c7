#include "wire/ice/consent.hpp"

#include <gtest/gtest.h>

namespace strowger::ice {
namespace {

using namespace std::chrono_literals;
using Event = Consent::Event;

constexpr Time start{};

/// Runs the machine from deadline to deadline until `end`; counts checks, answers if `reachable`.
int run_until(Consent& consent, Random& random, Time end, bool reachable) {
    int checks = 0;
    while (consent.deadline() <= end) {
        const Time now = consent.deadline();
        while (const auto event = consent.tick(now, random)) {
            if (*event != Event::check_due) continue;
            ++checks;
            if (reachable) consent.answered(now + 40ms);
        }
    }
    return checks;
}

TEST(Consent, ChecksAboutEveryFiveSecondsWhileAnswered) {
    Random random{1};
    Consent consent{{}, start, random};
    const int checks = run_until(consent, random, start + 10min, true);
    EXPECT_GE(checks, 100);  // 600 s / 6 s
    EXPECT_LE(checks, 150);  // 600 s / 4 s
    EXPECT_TRUE(consent.granted());
}

TEST(Consent, IsLostThirtySecondsAfterTheLastAnswerAndForGood) {
    Random random{1};
    Consent consent{{}, start, random};
    consent.answered(start + 12s);
    run_until(consent, random, start + 42s - 1ns, false);
    EXPECT_TRUE(consent.granted());
    run_until(consent, random, start + 42s, false);
    EXPECT_FALSE(consent.granted());
    consent.answered(start + 43s);
    EXPECT_FALSE(consent.granted());
    EXPECT_EQ(consent.deadline(), Time::max());
}

TEST(Consent, IsLostAtOnceWhenThePeerRevokesIt) {
    Random random{1};
    Consent consent{{}, start, random};
    consent.revoke(start + 1s);
    EXPECT_EQ(consent.deadline(), start + 1s);
    EXPECT_EQ(consent.tick(start + 1s, random), Event::lost);
    EXPECT_FALSE(consent.granted());
}

}  // namespace
}  // namespace strowger::ice
