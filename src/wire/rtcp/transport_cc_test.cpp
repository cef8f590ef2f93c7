#include "wire/rtcp/transport_cc.hpp"

#include <gtest/gtest.h>

#include "wire/rtcp/packet.hpp"

namespace strowger::rtcp {
namespace {

using namespace std::chrono_literals;

/// A feedback packet read by the rules of the draft's section 3.1: when each packet came.
std::vector<std::optional<Duration>> read(Bytes bytes, std::uint16_t& base) {
    const auto compound = Compound::parse(bytes, Strictness::reduced);
    if (!compound || bytes[0] % 32 != 15 || bytes[1] != 205) return {};
    base = load16(bytes, 12);
    const std::size_t count = load16(bytes, 14);
    std::vector<int> symbols;
    std::size_t at = 20;
    while (symbols.size() < count) {
        const auto chunk = load16(bytes, at);
        at += 2;
        if (chunk >> 15 == 0) {
            symbols.insert(symbols.end(), chunk & 0x1fff, chunk >> 13 & 3);
        } else {
            EXPECT_TRUE(chunk >> 14 & 1);
            for (int i = 0; i < 7; ++i) symbols.push_back(chunk >> (12 - 2 * i) & 3);
        }
    }
    symbols.resize(count);
    Duration now = 64ms * (load32(bytes, 16) >> 8);
    std::vector<std::optional<Duration>> came;
    for (const int symbol : symbols) {
        if (symbol == 1) now += 250us * bytes[at];
        if (symbol == 2) now += 250us * static_cast<std::int16_t>(load16(bytes, at));
        at += static_cast<std::size_t>(symbol);
        came.push_back(symbol == 0 ? std::nullopt : std::optional(now));
    }
    EXPECT_LE(bytes.size() - at, 3u);
    return came;
}

struct Feedback : testing::Test {
    std::vector<std::optional<Duration>> tell() {
        const auto size = feedback.write(buffer, 1, 2);
        return read(Bytes(buffer).first(size), base);
    }
    TransportFeedback feedback;
    std::array<std::uint8_t, 1200> buffer{};
    std::uint16_t base = 0;
    using Came = std::vector<std::optional<Duration>>;
};

TEST_F(Feedback, TellsWhenEachPacketCameAndWhichDidNot) {
    EXPECT_EQ(feedback.deadline(), Time::max());
    feedback.received(65534, Time{} + 1000ms);
    feedback.received(65535, Time{} + 1010ms);
    feedback.received(2, Time{} + 1500ms);  // 0 and 1 are missing; more than 63.75 ms later
    feedback.received(3, Time{} + 1500ms);
    EXPECT_EQ(feedback.deadline(), Time{} + 1100ms);
    EXPECT_EQ(tell(), (Came{1000ms, 1010ms, {}, {}, 1500ms, 1500ms}));
    EXPECT_EQ(base, 65534);
    EXPECT_EQ(feedback.deadline(), Time::max());
    EXPECT_EQ(load32(buffer, 4), 1u);
    EXPECT_EQ(load32(buffer, 8), 2u);
}

TEST_F(Feedback, GoesOnWhereItEndedAndForgetsWhatComesTooLate) {
    for (std::uint16_t i = 10; i < 40; ++i) {
        if (i != 20) feedback.received(i, Time{} + 1ms * i);
    }
    auto came = tell();
    ASSERT_EQ(came.size(), 30u);
    EXPECT_FALSE(came[10]);
    EXPECT_EQ(came[29], 39ms);
    EXPECT_EQ(buffer[19], 0);
    feedback.received(20, Time{} + 60ms);
    feedback.received(41, Time{} + 62ms);
    feedback.received(40, Time{} + 63ms);  // out of order: a negative delta
    EXPECT_EQ(tell(), (Came{63ms, 62ms}));
    EXPECT_EQ(base, 40);
    EXPECT_EQ(buffer[19], 1);  // the second of its kind
}

TEST_F(Feedback, ManyPacketsAreToldAtOnceAndAJumpIsANewBeginning) {
    for (std::uint16_t i = 0; i < TransportFeedback::max_packets; ++i) {
        feedback.received(i, Time{} + 100us * i);
    }
    EXPECT_EQ(feedback.deadline(), Time{} + 100us * (TransportFeedback::max_packets - 1));
    EXPECT_EQ(tell().size(), TransportFeedback::max_packets);
    feedback.received(30000, Time{} + 90ms);
    EXPECT_EQ(tell(), Came{90ms});
    EXPECT_EQ(base, 30000);
}

TEST_F(Feedback, WhatDoesNotFitIsNotWritten) {
    feedback.received(1, Time{});
    EXPECT_EQ(feedback.write(MutableBytes(buffer).first(20), 1, 2), 0u);
}

}  // namespace
}  // namespace strowger::rtcp
