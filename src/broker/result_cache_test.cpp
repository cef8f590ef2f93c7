#include "broker/result_cache.hpp"

#include <gtest/gtest.h>

namespace strowger::broker {
namespace {

TaskRequest request(const std::string& argument, bool deterministic = true) {
    pb::Task_Wasip1_Request made;
    made.mutable_info()->set_id("7");
    made.mutable_params()->mutable_binary()->set_ref("sha256:x");
    made.mutable_params()->add_args(argument);
    if (deterministic) made.mutable_qos()->set_deterministic(true);
    return made;
}

TaskResponse response(std::size_t size) {
    pb::Task_Wasip1_Response made;
    made.mutable_ok()->set_stdout(std::string(size, 'x'));
    return made;
}

TEST(ResultCache, TheSameParametersOfTheSameTokenHaveTheSameKey) {
    const ResultCache cache(1 << 20);
    EXPECT_EQ(cache.key_of(request("a"), "alice"), cache.key_of(request("a"), "alice"));
    EXPECT_NE(cache.key_of(request("a"), "alice"), cache.key_of(request("b"), "alice"));
    EXPECT_NE(cache.key_of(request("a"), "alice"), cache.key_of(request("a"), "bob"));
    EXPECT_EQ(cache.key_of(request("a", false), "alice"), "");
    EXPECT_EQ(ResultCache(0).key_of(request("a"), "alice"), "");
}

TEST(ResultCache, WhatWasUsedLeastRecentlyGoesFirst) {
    ResultCache cache(8192);
    for (const auto* key : {"a", "b", "c"}) cache.put(key, response(1500));
    ASSERT_NE(cache.find("a"), nullptr);
    cache.put("d", response(1500));
    cache.put("e", response(1500));
    EXPECT_NE(cache.find("a"), nullptr);
    EXPECT_EQ(cache.find("b"), nullptr);
    EXPECT_LE(cache.bytes(), 8192u);
    cache.put("large", response(7000));
    EXPECT_EQ(cache.find("large"), nullptr) << "it would push out all others";
}

TEST(ResultCache, FailuresAndTheUndeclaredAreNotKept) {
    ResultCache cache(8192);
    pb::Task_Wasip1_Response failed;
    failed.set_error("trap");
    cache.put("a", failed);
    cache.put("", response(1));
    EXPECT_EQ(cache.size(), 0u);
}

}  // namespace
}  // namespace strowger::broker
