#include "relay/cookie_cache.hpp"

#include <gtest/gtest.h>

namespace strowger::relay {
namespace {

using namespace std::chrono_literals;

const SocketAddress proxy = *SocketAddress::parse("192.0.2.1:5000");
const SocketAddress other = *SocketAddress::parse("192.0.2.1:5001");
constexpr Time start = Time{} + 100s;

TEST(CookieCache, AReplyIsKeptForItsSenderAlone) {
    CookieCache cache;
    EXPECT_EQ(cache.find(proxy, "a", start), nullptr);
    cache.keep(proxy, "a", "reply", start);
    ASSERT_NE(cache.find(proxy, "a", start), nullptr);
    EXPECT_EQ(*cache.find(proxy, "a", start), "reply");
    EXPECT_EQ(cache.find(other, "a", start), nullptr);
    EXPECT_EQ(cache.find(proxy, "b", start), nullptr);
}

TEST(CookieCache, ItStaysThirtySecondsAtLeastAndSixtyAtMost) {
    CookieCache cache;
    cache.keep(proxy, "early", "1", start);
    cache.keep(proxy, "late", "2", start + 29s);
    EXPECT_NE(cache.find(proxy, "early", start + 30s), nullptr);
    EXPECT_NE(cache.find(proxy, "late", start + 58s), nullptr);
    EXPECT_EQ(cache.find(proxy, "early", start + 61s), nullptr);
    EXPECT_EQ(cache.find(proxy, "late", start + 95s), nullptr);
    EXPECT_EQ(cache.size(), 0U);
}

TEST(CookieCache, AFloodOfRepliesMakesRoomForItself) {
    CookieCache cache;
    const std::string large(1 << 20, 'x');
    for (int i = 0; i < 200; ++i) cache.keep(proxy, std::to_string(i), large, start);
    EXPECT_LE(cache.size(), CookieCache::max_bytes / large.size() + 1);
    EXPECT_NE(cache.find(proxy, "199", start), nullptr);
}

}  // namespace
}  // namespace strowger::relay
