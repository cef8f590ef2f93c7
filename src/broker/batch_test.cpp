#include "broker/batch.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace strowger::broker {
namespace {

constexpr std::size_t limit = 1 << 16;

TEST(Batch, EachTaskInheritsWhatItDoesNotSetItself) {
    const auto requests = unpack_batch(R"({
        "parent": {"binary": {"ref": "p"}, "envs": ["A=b"], "args": ["p"], "qos": {"priority": true}},
        "tasks": [{}, {"args": ["q"]}, {"params": {"binary": {"ref": "r"}}, "qos": {}}]})",
                                       limit);
    ASSERT_TRUE(requests);
    ASSERT_EQ(requests->size(), 3u);
    const auto at = [&](std::size_t i) { return nlohmann::json::parse((*requests)[i]); };
    EXPECT_EQ(at(0)["params"], R"({"binary":{"ref":"p"},"envs":["A=b"],"args":["p"]})"_json);
    EXPECT_EQ(at(0)["qos"], R"({"priority":true})"_json);
    EXPECT_EQ(at(1)["params"]["args"], R"(["q"])"_json);
    EXPECT_EQ(at(1)["params"]["binary"]["ref"], "p");
    EXPECT_EQ(at(2)["params"]["binary"]["ref"], "r");
    EXPECT_EQ(at(2)["qos"], nlohmann::json::object());
}

TEST(Batch, AParentMayHaveItsParametersInParams) {
    const auto requests =
        unpack_batch(R"({"parent": {"params": {"binary": {"ref": "p"}}}, "tasks": [{}]})", limit);
    ASSERT_TRUE(requests);
    EXPECT_EQ(nlohmann::json::parse(requests->front())["params"]["binary"]["ref"], "p");
}

TEST(Batch, WhatIsNoBatchIsRefusedOrPassedBy) {
    for (const auto* text :
         {"", "{", "[]", "{\"tasks\":5}", "{\"tasks\":[5]}", "{\"parent\":5,\"tasks\":[]}"})
        EXPECT_FALSE(unpack_batch(text, limit)) << text;
    EXPECT_FALSE(is_batch(R"({"params": {"binary": {"ref": "\"tasks\""}}})"));
    EXPECT_TRUE(is_batch(R"({"tasks": [{"binary": {"ref": "x"}}]})"));
    std::string deep(100'000, '[');
    EXPECT_FALSE(unpack_batch("{\"tasks\":" + deep, limit));
}

TEST(Batch, WhatParentsGiveIsCountedForEachTask) {
    const std::string blob(1000, 'x');
    std::string text = R"({"parent": {"stdin": ")" + blob + R"("}, "tasks": [{})";
    for (int i = 0; i < 99; ++i) text += ",{}";
    text += "]}";
    EXPECT_FALSE(unpack_batch(text, limit));
    EXPECT_TRUE(unpack_batch(text, 2 * limit));
    std::string many = R"({"tasks": [{})";
    for (std::size_t i = 0; i < max_batch; ++i) many += ",{}";
    EXPECT_FALSE(unpack_batch(many + "]}", 64 << 20));
}

}  // namespace
}  // namespace strowger::broker
