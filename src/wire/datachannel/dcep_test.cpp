#include "wire/datachannel/dcep.hpp"

#include <gtest/gtest.h>

namespace strowger::datachannel {
namespace {

using Policy = sctp::Reliability::Policy;

std::vector<std::uint8_t> bytes(std::initializer_list<int> values, std::string_view text) {
    std::vector<std::uint8_t> all(values.begin(), values.end());
    all.insert(all.end(), text.begin(), text.end());
    return all;
}

TEST(Dcep, AnOpenOfAReliableChannelHasTheBytesOfSection5_1) {
    const Settings settings{.label = "chat", .protocol = "x"};
    const auto expected = bytes({0x03, 0x00, 0x01, 0x00, 0, 0, 0, 0, 0, 4, 0, 1}, "chatx");
    EXPECT_EQ(write_open(settings), expected);
    EXPECT_EQ(*parse_open(expected), settings);
}

TEST(Dcep, ChannelTypesSayOrderAndReliability) {
    struct Row {
        std::uint8_t type;
        bool ordered;
        Policy policy;
    };
    for (const auto& [type, ordered, policy] :
         {Row{0x00, true, Policy::reliable}, Row{0x80, false, Policy::reliable},
          Row{0x01, true, Policy::retransmits}, Row{0x81, false, Policy::retransmits},
          Row{0x02, true, Policy::lifetime}, Row{0x82, false, Policy::lifetime}}) {
        const auto message = bytes({0x03, type, 1, 0, 0, 0, 1, 0x2c, 0, 1, 0, 0}, "l");
        const auto settings = parse_open(message);
        ASSERT_TRUE(settings);
        EXPECT_EQ(settings->ordered, ordered);
        EXPECT_EQ(settings->reliability.policy, policy);
        EXPECT_EQ(settings->reliability.limit, policy == Policy::reliable ? 0u : 300u);
        EXPECT_EQ(write_open(*settings) == message, policy != Policy::reliable);
    }
}

TEST(Dcep, WhatIsNoOpenIsRefused) {
    EXPECT_FALSE(parse_open({}));
    EXPECT_FALSE(parse_open(bytes({0x03, 0, 1, 0, 0, 0, 0, 0, 0, 4, 0}, "")));
    EXPECT_FALSE(parse_open(bytes({0x03, 0, 1, 0, 0, 0, 0, 0, 0, 4, 0, 0}, "cha")));
    EXPECT_FALSE(parse_open(bytes({0x03, 0, 1, 0, 0, 0, 0, 0, 0, 4, 0, 0}, "chats")));
    EXPECT_FALSE(parse_open(bytes({0x03, 3, 1, 0, 0, 0, 0, 0, 0, 4, 0, 0}, "chat")));
    EXPECT_FALSE(parse_open(bytes({0x02, 0, 1, 0, 0, 0, 0, 0, 0, 4, 0, 0}, "chat")));
    EXPECT_FALSE(
        parse_open(bytes({0x03, 0, 1, 0, 0, 0, 0, 0, 0x20, 0, 0, 0}, std::string(8192, 'l'))));
    EXPECT_TRUE(is_ack(bytes({0x02}, "")));
    EXPECT_FALSE(is_ack(bytes({0x02, 0}, "")));
}

}  // namespace
}  // namespace strowger::datachannel
