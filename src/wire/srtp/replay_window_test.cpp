#include "wire/srtp/replay_window.hpp"

#include <gtest/gtest.h>

#include <set>

#include "base/random.hpp"

namespace strowger::srtp {
namespace {

using Window = ReplayWindow<128>;
using Verdict = Window::Verdict;

TEST(ReplayWindow, KnowsWhatHasBeenAndWhatIsTooOldToKnow) {
    Window window;
    EXPECT_EQ(window.highest(), std::nullopt);
    window.accept(1000);
    EXPECT_EQ(window.check(1000), Verdict::seen);
    EXPECT_EQ(window.check(1001), Verdict::fresh);
    EXPECT_EQ(window.check(999), Verdict::fresh);
    EXPECT_EQ(window.check(873), Verdict::fresh);  // 127 back
    EXPECT_EQ(window.check(872), Verdict::too_old);
    window.accept(873);
    EXPECT_EQ(window.check(873), Verdict::seen);
    EXPECT_EQ(window.highest(), 1000U);
}

TEST(ReplayWindow, ForgetsEverythingOnALeap) {
    Window window;
    for (std::uint64_t i = 0; i < 300; ++i) window.accept(i);
    window.accept(1'000'000);
    EXPECT_EQ(window.check(999'999), Verdict::fresh);
    EXPECT_EQ(window.check(999'873), Verdict::fresh);
    EXPECT_EQ(window.check(299), Verdict::too_old);
}

TEST(ReplayWindow, ResumesAsIfEverythingBeforeHadBeen) {
    for (const std::uint64_t at : {0U, 1U, 63U, 64U, 1000U}) {
        Window window;
        window.resume_after(at);
        EXPECT_EQ(window.check(at), Verdict::seen);
        EXPECT_EQ(window.check(at + 1), Verdict::fresh);
        window.accept(at + 70);
        for (std::uint64_t i = at + 1; i < at + 70; ++i) {
            EXPECT_EQ(window.check(i), Verdict::fresh) << at << " " << i;
        }
        EXPECT_EQ(window.check(at), Verdict::seen);
    }
}

TEST(ReplayWindow, AgreesWithAListOfAllThatHasBeen) {
    Random random{7};
    Window window;
    std::set<std::uint64_t> been;
    std::uint64_t around = 500;
    for (int i = 0; i < 20'000; ++i) {
        around += random.below(3);
        if (random.below(500) == 0) around += random.below(400);
        const std::uint64_t index =
            around + random.below(150) - std::min<std::uint64_t>(around, 140);
        const std::uint64_t highest = been.empty() ? 0 : *been.rbegin();
        const auto expected = !been.empty() && index + 128 <= highest ? Verdict::too_old
                              : been.contains(index)                  ? Verdict::seen
                                                                      : Verdict::fresh;
        ASSERT_EQ(window.check(index), expected) << i;
        if (expected != Verdict::fresh) continue;
        window.accept(index);
        been.insert(index);
    }
}

}  // namespace
}  // namespace strowger::srtp
