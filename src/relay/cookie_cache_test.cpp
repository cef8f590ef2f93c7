#include "relay/cookie_cache.hpp"

#include <gtest/gtest.h>

namespace strowger::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start = Time{} + 100s;

TEST(CookieCache, AReplyIsKeptForItsCookieWhoeverSendsIt) {
    CookieCache cache;
    EXPECT_EQ(cache.find("a", start), nullptr);
    cache.keep("a", "reply", start);
    ASSERT_NE(cache.find("a", start), nullptr);
    EXPECT_EQ(*cache.find("a", start), "reply");
    EXPECT_EQ(cache.find("b", start), nullptr);
}

TEST(CookieCache, ItStaysThirtySecondsAtLeastAndSixtyAtMost) {
    CookieCache cache;
    cache.keep("early", "1", start);
    cache.keep("late", "2", start + 29s);
    EXPECT_NE(cache.find("early", start + 30s), nullptr);
    EXPECT_NE(cache.find("late", start + 58s), nullptr);
    EXPECT_EQ(cache.find("early", start + 61s), nullptr);
    EXPECT_EQ(cache.find("late", start + 95s), nullptr);
    EXPECT_EQ(cache.size(), 0U);
}

TEST(CookieCache, AFloodOfRepliesMakesRoomForItself) {
    CookieCache cache;
    const std::string large(1 << 20, 'x');
    for (int i = 0; i < 200; ++i) cache.keep(std::to_string(i), large, start);
    EXPECT_LE(cache.size(), CookieCache::max_bytes / large.size() + 1);
    EXPECT_NE(cache.find("199", start), nullptr);
}

}  // namespace
}  // namespace strowger::relay
