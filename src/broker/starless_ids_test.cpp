#include "broker/starless_ids.hpp"

#include <gtest/gtest.h>

#include <set>

namespace strowger::broker {
namespace {

TEST(StarlessIds, AUuidSaysItsVersionAndVariantAndDoesNotComeAgain) {
    Random random{1};
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const auto uuid = new_uuid(random);
        ASSERT_EQ(uuid.size(), 36u);
        EXPECT_EQ(uuid[14], '4');
        EXPECT_NE(std::string_view("89ab").find(uuid[19]), std::string_view::npos) << uuid;
        EXPECT_TRUE(seen.insert(uuid).second);
        EXPECT_TRUE(is_starless_task_id(starless_task_id(uuid, static_cast<std::size_t>(i) * 20)));
    }
}

TEST(StarlessIds, APlaceHasFourDigitsOrMore) {
    EXPECT_EQ(starless_task_id("u", 7), "u/0007");
    EXPECT_EQ(starless_task_id("u", 12345), "u/12345");
}

TEST(StarlessIds, WhatLooksOtherwiseIsNone) {
    const std::string uuid = "01234567-89ab-4cde-8f01-23456789abcd";
    EXPECT_TRUE(is_starless_task_id(uuid + "/0000"));
    const std::string others[] = {
        "",
        uuid,
        uuid + "/",
        uuid + "/000",
        uuid + "/00x0",
        uuid + "/000000000",
        uuid.substr(1) + "/0000",
        "x" + uuid.substr(1) + "/0000",
        "01234567089ab-4cde-8f01-23456789abc/0000",
        uuid + "/0000/0000",
    };
    for (const auto& text : others) EXPECT_FALSE(is_starless_task_id(text)) << text;
}

}  // namespace
}  // namespace strowger::broker
