#include "wire/ice/session_table.hpp"

#include <gtest/gtest.h>

#include <map>

#include "wire/ice/binding.hpp"

namespace strowger::ice {
namespace {

Tuple tuple(std::uint16_t port, SocketId socket = 0) {
    return {socket, {IpAddress::v4({192, 0, 2, 1}), port}};
}

std::vector<std::uint8_t> check_for(std::string_view ufrag) {
    Generation generation({"them", std::string(22, 'p')});
    generation.set_remote({std::string(ufrag), std::string(22, 'q')});
    std::array<std::uint8_t, 200> buffer;
    const Bytes bytes = write_check(buffer, {.transaction = {{1}}}, generation);
    return {bytes.begin(), bytes.end()};
}

TEST(IceSessionTable, TheFirstCheckFindsItsSessionByTheFragmentAndLaterPacketsByTheTuple) {
    Random random{1};
    SessionTable table(random);
    ASSERT_TRUE(table.add("aaaa", 0));
    ASSERT_TRUE(table.add("bbbb", 1));
    EXPECT_EQ(table.asked_for(check_for("bbbb")), 1u);
    EXPECT_FALSE(table.asked_for(check_for("cccc")));
    EXPECT_FALSE(table.find(0, tuple(5000).from));
    table.learn(1, tuple(5000));
    EXPECT_EQ(table.find(0, tuple(5000).from), 1u);
    EXPECT_FALSE(table.find(1, tuple(5000).from)) << "another socket";
}

TEST(IceSessionTable, AFragmentBelongsToOneSession) {
    Random random{1};
    SessionTable table(random);
    EXPECT_TRUE(table.add("aaaa", 0));
    EXPECT_FALSE(table.add("aaaa", 1));
    table.forget("aaaa");
    EXPECT_TRUE(table.add("aaaa", 1));
}

TEST(IceSessionTable, ARemovedSessionLeavesNothing) {
    Random random{1};
    SessionTable table(random);
    table.add("aaaa", 3);
    table.add("aaab", 3);
    for (std::uint16_t port = 1; port <= 8; ++port) table.learn(3, tuple(port));
    table.remove(3);
    EXPECT_EQ(table.tuples(), 0u);
    EXPECT_EQ(table.ufrags(), 0u);
    EXPECT_FALSE(table.asked_for(check_for("aaaa")));
}

TEST(IceSessionTable, TheEldestTupleMakesRoomButNeverThePreferredOne) {
    Random random{1};
    SessionTable table(random);
    table.add("aaaa", 0);
    table.prefer(0, 1, tuple(1));
    for (std::uint16_t port = 2; port <= 9; ++port) table.learn(0, tuple(port));
    EXPECT_EQ(table.tuples(), SessionTable::max_tuples);
    EXPECT_TRUE(table.find(0, tuple(1).from));
    EXPECT_FALSE(table.find(0, tuple(2).from));
    EXPECT_TRUE(table.find(0, tuple(9).from));
}

TEST(IceSessionTable, ATupleThatAnotherSessionHadIsTakenOver) {
    Random random{1};
    SessionTable table(random);
    table.add("aaaa", 0);
    table.add("bbbb", 1);
    table.learn(0, tuple(7));
    table.learn(1, tuple(7));
    EXPECT_EQ(table.find(0, tuple(7).from), 1u);
    table.remove(0);
    EXPECT_EQ(table.find(0, tuple(7).from), 1u) << "the one before takes nothing with it";
}

// Against a map, over enough insertions and deletions that runs of slots wrap, merge and split.
TEST(IceTupleTable, HoldsWhatAMapHolds) {
    Random random{7};
    TupleTable table(random);
    std::map<std::pair<SocketId, std::uint16_t>, std::uint32_t> expected;
    for (int step = 0; step < 20000; ++step) {
        const auto port = static_cast<std::uint16_t>(random.below(300));
        const auto socket = static_cast<SocketId>(random.below(2));
        if (random.below(5) < 2) {
            table.erase(tuple(port, socket));
            expected.erase({socket, port});
        } else {
            const auto value = random.next32();
            table.set(tuple(port, socket), value);
            expected[{socket, port}] = value;
        }
    }
    EXPECT_EQ(table.size(), expected.size());
    for (SocketId socket = 0; socket < 2; ++socket) {
        for (std::uint16_t port = 0; port < 300; ++port) {
            const auto found = table.find(socket, tuple(port).from);
            const auto wanted = expected.find({socket, port});
            EXPECT_EQ(found.has_value(), wanted != expected.end());
            if (found && wanted != expected.end()) {
                EXPECT_EQ(*found, wanted->second);
            }
        }
    }
}

TEST(IceTupleTable, TellsAnIPv4AddressFromAnIPv6OneOfTheSameBytes) {
    Random random{1};
    TupleTable table(random);
    std::array<std::uint8_t, 16> bytes{1, 2, 3, 4};
    table.set({0, {IpAddress::v6(bytes), 9}}, 1);
    EXPECT_FALSE(table.find(0, {IpAddress::v4({1, 2, 3, 4}), 9}));
}

}  // namespace
}  // namespace strowger::ice
