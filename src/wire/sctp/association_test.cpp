#include "wire/sctp/association.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "wire/sctp/test_gettimeofday.hpp"
#include "wire/sctp/test_pair.hpp"

namespace strowger::sctp {
namespace {

using namespace std::chrono_literals;
using Kind = Association::Event::Kind;
using Sent = Association::Sent;

std::vector<std::string> messages(const std::vector<TestPair::Seen>& seen) {
    std::vector<std::string> texts;
    for (const auto& one : seen) {
        if (one.kind == Kind::message) texts.push_back(one.text);
    }
    return texts;
}

std::size_t count(const std::vector<TestPair::Seen>& seen, Kind kind) {
    return static_cast<std::size_t>(
        std::count_if(seen.begin(), seen.end(), [&](const auto& one) { return one.kind == kind; }));
}

std::string large(std::size_t size) {
    std::string text(size, ' ');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 256);
    return text;
}

TEST(SctpAssociation, TwoThatBeginAtTheSameTimeAreConnected) {
    TestPair pair;
    pair.connect();
    ASSERT_TRUE(pair.run_until(1s, [&] { return pair.both_connected(); }));
    EXPECT_EQ(count(pair.seen_by_a(), Kind::connected), 1u);
    EXPECT_EQ(count(pair.seen_by_b(), Kind::connected), 1u);
    EXPECT_EQ(pair.a().streams_out(), 1024);
}

// As aiortc does, which answers no INIT once it has sent its own.
TEST(SctpAssociation, APeerThatAnswersNoInitIsConnectedByItsOwnHoweverLate) {
    for (const auto late : {0s, 2s, 6s}) {
        TestPair pair;
        const Time begin = pair.now();
        pair.lose = [&](int side, Bytes packet) {
            const bool init = packet.size() > 12 && packet[12] == 1;
            return init && (side == 1 || pair.now() - begin < late);
        };
        pair.connect();
        ASSERT_TRUE(pair.run_until(15s, [&] { return pair.both_connected(); })) << late.count();
        EXPECT_EQ(pair.a().send(1, 51, as_bytes("from a")), Sent::accepted);
        EXPECT_EQ(pair.b().send(1, 51, as_bytes("from b")), Sent::accepted);
        pair.run(3s);
        EXPECT_EQ(messages(pair.seen_by_b()), (std::vector<std::string>{"from a"})) << late.count();
        EXPECT_EQ(messages(pair.seen_by_a()), (std::vector<std::string>{"from b"})) << late.count();
    }
}

// As long as consent (RFC 7675) lets a path be silent.
TEST(SctpAssociation, APathThatWasGoneForHalfAMinuteIsUsedAgainWithinTwoSeconds) {
    TestPair pair;
    pair.connect();
    ASSERT_TRUE(pair.run_until(1s, [&] { return pair.both_connected(); }));
    pair.lose = [](int, Bytes) { return true; };
    EXPECT_EQ(pair.a().send(1, 51, as_bytes("patience")), Sent::accepted);
    pair.run(30s);
    EXPECT_TRUE(pair.both_connected());
    pair.lose = nullptr;
    pair.run(2500ms);
    EXPECT_EQ(messages(pair.seen_by_b()), (std::vector<std::string>{"patience"}));
}

TEST(SctpAssociation, ItsInitHasNoParametersThatOldPeersDoNotKnow) {
    TestPair pair;
    pair.connect();
    pair.run(100ms);
    const auto& init = pair.first_packet();
    ASSERT_GE(init.size(), 32u);
    EXPECT_EQ(init[12], 1);  // INIT, after 12 bytes of common header
    for (std::size_t at = 32; at + 4 <= init.size();) {
        const auto type = load16(init, at);
        // FORWARD-TSN supported (RFC 3758) and supported extensions (RFC 5061) alone
        EXPECT_TRUE(type == 0xc000 || type == 0x8008) << std::hex << type;
        at += (load16(init, at + 2) + 3u) & ~3u;
    }
}

TEST(SctpAssociation, MessagesArriveInOrderWithStreamAndProtocol) {
    TestPair pair;
    pair.connect();
    ASSERT_TRUE(pair.run_until(1s, [&] { return pair.both_connected(); }));
    EXPECT_EQ(pair.a().send(7, 51, as_bytes("one")), Sent::accepted);
    EXPECT_EQ(pair.a().send(7, 53, as_bytes("two"), true), Sent::accepted);
    pair.run(100ms);
    ASSERT_EQ(messages(pair.seen_by_b()), (std::vector<std::string>{"one", "two"}));
    const auto& second = pair.seen_by_b().back();
    EXPECT_EQ(second.stream, 7);
    EXPECT_EQ(second.protocol, 53u);
    EXPECT_TRUE(second.unordered);
}

TEST(SctpAssociation, AMessageOf256KiBArrivesWholeInPacketsThatFit) {
    TestPair pair;
    pair.connect();
    ASSERT_TRUE(pair.run_until(1s, [&] { return pair.both_connected(); }));
    const auto text = large(262144);
    EXPECT_EQ(pair.a().send(0, 53, as_bytes(text)), Sent::accepted);
    ASSERT_TRUE(pair.run_until(5s, [&] { return !messages(pair.seen_by_b()).empty(); }));
    EXPECT_EQ(messages(pair.seen_by_b()).front(), text);
    EXPECT_LE(pair.largest_packet(), 1150u);
    EXPECT_GT(pair.largest_packet(), 1100u);
}

TEST(SctpAssociation, AMessageThatIsTooLargeEndsTheAssociation) {
    Association::Config small;
    small.max_message = 1000;
    TestPair pair(0, 1, small);
    pair.connect();
    ASSERT_TRUE(pair.run_until(1s, [&] { return pair.both_connected(); }));
    EXPECT_EQ(pair.a().send(0, 53, as_bytes(large(1000))), Sent::accepted);
    pair.run(100ms);
    EXPECT_EQ(messages(pair.seen_by_b()).size(), 1u);
    EXPECT_EQ(pair.a().send(0, 53, as_bytes(large(5000))), Sent::accepted);
    pair.run(100ms);
    EXPECT_EQ(messages(pair.seen_by_b()).size(), 1u);
    EXPECT_EQ(count(pair.seen_by_b(), Kind::closed), 1u);
    EXPECT_EQ(count(pair.seen_by_a(), Kind::closed), 1u) << "by the ABORT";
}

TEST(SctpAssociation, WithTwentyPerCentLostItConnectsWithinThreeSecondsAndLosesNoMessage) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        TestPair pair(0.2, seed);
        pair.connect();
        ASSERT_TRUE(pair.run_until(3s, [&] { return pair.both_connected(); })) << "seed " << seed;
        std::vector<std::string> sent;
        for (int i = 0; i < 20; ++i) {
            sent.push_back(large(100 * static_cast<std::size_t>(i) + 1));
            EXPECT_EQ(pair.a().send(3, 53, as_bytes(sent.back())), Sent::accepted);
        }
        ASSERT_TRUE(pair.run_until(60s, [&] { return messages(pair.seen_by_b()).size() == 20; }));
        EXPECT_EQ(messages(pair.seen_by_b()), sent);
    }
}

TEST(SctpAssociation, WithoutRetransmissionsSomeOfWhatIsLostStaysLostAndTheRestArrives) {
    TestPair pair(0.2, 5);
    pair.connect();
    ASSERT_TRUE(pair.run_until(3s, [&] { return pair.both_connected(); }));
    constexpr std::size_t all = 200;
    for (std::size_t i = 0; i < all; ++i) {
        pair.a().send(1, 51, as_bytes("x"), true, {Reliability::Policy::retransmits, 0});
        pair.run(20ms);
    }
    pair.run(30s);
    const auto arrived = messages(pair.seen_by_b()).size();
    EXPECT_LT(arrived, all);
    EXPECT_GT(arrived, all / 2);
    EXPECT_EQ(pair.a().send(1, 51, as_bytes("last")), Sent::accepted);
    EXPECT_TRUE(pair.run_until(30s, [&] { return messages(pair.seen_by_b()).back() == "last"; }));
}

TEST(SctpAssociation, AStreamThatIsBeingResetIsFullAndNotWritableOverAndOver) {
    TestPair pair;
    pair.connect();
    ASSERT_TRUE(pair.run_until(1s, [&] { return pair.both_connected(); }));
    const std::array<std::uint16_t, 1> streams{2};
    ASSERT_TRUE(pair.a().reset_streams(streams));  // nothing is carried: the answer is still out
    ASSERT_EQ(pair.a().send(2, 51, as_bytes("early")), Sent::full);
    Association::Event event;
    int writable = 0;
    while (writable < 10 && pair.a().poll(event)) {
        if (event.kind != Kind::writable) continue;
        ++writable;
        (void)pair.a().send(2, 51, as_bytes("again"));
    }
    EXPECT_LE(writable, 1);
    ASSERT_TRUE(pair.run_until(
        2s, [&] { return pair.a().send(2, 51, as_bytes("late")) == Sent::accepted; }));
    ASSERT_TRUE(pair.run_until(2s, [&] { return !messages(pair.seen_by_b()).empty(); }));
    EXPECT_EQ(messages(pair.seen_by_b()).back(), "late");
}

TEST(SctpAssociation, APeerThatDoesNotReadStopsUsAndLetsUsGoOn) {
    TestPair pair;
    pair.connect();
    ASSERT_TRUE(pair.run_until(1s, [&] { return pair.both_connected(); }));
    const auto text = large(65536);
    std::size_t accepted = 0;
    const auto fill = [&] {
        while (pair.a().send(0, 53, as_bytes(text)) == Sent::accepted) ++accepted;
        return false;
    };
    pair.run_until(2s, fill, false);
    EXPECT_GT(accepted * text.size(), 1u << 20);
    EXPECT_LT(accepted * text.size(), 3u << 20) << "both buffers, and no more";
    EXPECT_EQ(pair.a().send(0, 53, as_bytes(text)), Sent::full);
    ASSERT_TRUE(pair.run_until(30s, [&] { return messages(pair.seen_by_b()).size() == accepted; }));
    EXPECT_GE(count(pair.seen_by_a(), Kind::writable), 1u);
    for (const auto& message : messages(pair.seen_by_b())) ASSERT_EQ(message, text);
}

TEST(SctpAssociation, AStreamThatIsResetIsToldOfAndCanBeUsedAgain) {
    TestPair pair;
    pair.connect();
    ASSERT_TRUE(pair.run_until(1s, [&] { return pair.both_connected(); }));
    pair.a().send(4, 51, as_bytes("before"));
    pair.run(100ms);
    const std::uint16_t streams[] = {4};
    EXPECT_TRUE(pair.a().reset_streams(streams));
    ASSERT_TRUE(
        pair.run_until(2s, [&] { return count(pair.seen_by_b(), Kind::streams_reset) == 1; }));
    EXPECT_EQ(pair.seen_by_b().back().stream, 4);
    EXPECT_TRUE(pair.b().reset_streams(streams));
    ASSERT_TRUE(
        pair.run_until(2s, [&] { return count(pair.seen_by_a(), Kind::streams_reset) == 1; }));
    EXPECT_EQ(pair.a().send(4, 51, as_bytes("after")), Sent::accepted);
    pair.run(100ms);
    EXPECT_EQ(messages(pair.seen_by_b()).back(), "after");
}

TEST(SctpAssociation, AClosedOneIsToldOfByAnAbort) {
    TestPair pair;
    pair.connect();
    ASSERT_TRUE(pair.run_until(1s, [&] { return pair.both_connected(); }));
    pair.a().close();
    pair.run(100ms);
    EXPECT_EQ(count(pair.seen_by_b(), Kind::closed), 1u);
    EXPECT_EQ(pair.b().state(), Association::State::closed);
    EXPECT_EQ(pair.b().send(0, 51, as_bytes("x")), Sent::refused);
}

TEST(SctpAssociation, GarbageDoesNothing) {
    TestPair pair;
    pair.connect();
    ASSERT_TRUE(pair.run_until(1s, [&] { return pair.both_connected(); }));
    Random random{9};
    for (int i = 0; i < 1000; ++i) {
        std::vector<std::uint8_t> junk(random.below(200));
        for (auto& byte : junk) byte = static_cast<std::uint8_t>(random.next());
        pair.a().receive(junk);
    }
    pair.b().send(0, 51, as_bytes("still here"));
    pair.run(100ms);
    EXPECT_EQ(messages(pair.seen_by_a()), std::vector<std::string>{"still here"});
}

TEST(SctpAssociation, WhatCannotBeSentIsRefused) {
    TestPair pair;
    EXPECT_EQ(pair.a().send(0, 51, as_bytes("early")), Sent::refused);
    pair.connect();
    ASSERT_TRUE(pair.run_until(1s, [&] { return pair.both_connected(); }));
    EXPECT_EQ(pair.a().send(1024, 51, as_bytes("no such stream")), Sent::refused);
    EXPECT_EQ(pair.a().send(0, 51, {}), Sent::refused);
    EXPECT_EQ(pair.a().send(0, 51, as_bytes(large(std::size_t{2} << 20))), Sent::refused);
}

TEST(SctpStack, SaysWhoHasSomethingToSayAndSleepsWithoutAnybody) {
    EXPECT_EQ(Stack::the_process().deadline(), Time::max());
    while (Stack::the_process().ready()) {}
    Association association({});
    ASSERT_TRUE(association.connect());
    EXPECT_NE(Stack::the_process().deadline(), Time::max());
    EXPECT_EQ(Stack::the_process().ready(), &association);
    EXPECT_EQ(Stack::the_process().ready(), nullptr);
    EXPECT_FALSE(association.next_packet().empty());
}

TEST(SctpStack, BelongsToOneThread) {
    Stack::the_process();
    bool refused = false;
    std::thread([&] {
        try {
            Association association({});
        } catch (const std::logic_error&) {
            refused = true;
        }
    }).join();
    EXPECT_TRUE(refused);
}

}  // namespace
}  // namespace strowger::sctp
