#include "wire/datachannel/channels.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "wire/sctp/test_gettimeofday.hpp"
#include "wire/sctp/test_pair.hpp"

namespace strowger::datachannel {
namespace {

using namespace std::chrono_literals;
using Kind = Channels::Event::Kind;
using Sent = Channels::Sent;
using Policy = sctp::Reliability::Policy;

struct Seen {
    Kind kind;
    ChannelId channel;
    bool text;
    std::string bytes;
    bool operator==(const Seen&) const = default;
};

/// A client and a server with channels; the server echoes if asked to.
struct Session {
    sctp::TestPair pair;
    Channels client, server;
    std::vector<Seen> seen_by_client, seen_by_server;
    bool echo = false;

    explicit Session(double loss = 0, std::uint64_t seed = 1)
        : pair(loss, seed),
          client(pair.a(), {.role = Channels::DtlsRole::client, .max_sent = 262144}),
          server(pair.b(), {.role = Channels::DtlsRole::server, .max_sent = 262144}) {
        pair.reader = [this](int side) { side == 0 ? read(client, seen_by_client) : serve(); };
        pair.connect();
    }

    void read(Channels& channels, std::vector<Seen>& seen) {
        Channels::Event event;
        while (channels.poll(event)) {
            seen.push_back(
                {event.kind, event.channel, event.text, std::string(as_text(event.bytes))});
        }
    }
    void serve() {
        Channels::Event event;
        while (server.poll(event)) {
            seen_by_server.push_back(
                {event.kind, event.channel, event.text, std::string(as_text(event.bytes))});
            if (echo && event.kind == Kind::message) {
                EXPECT_EQ(server.send(event.channel, event.text, event.bytes), Sent::accepted);
            }
        }
    }
    bool until(const std::vector<Seen>& seen, Kind kind, std::size_t times = 1) {
        return pair.run_until(30s, [&] { return count(seen, kind) >= times; });
    }
    static std::size_t count(const std::vector<Seen>& seen, Kind kind) {
        return static_cast<std::size_t>(std::count_if(
            seen.begin(), seen.end(), [&](const Seen& one) { return one.kind == kind; }));
    }
    std::vector<Seen> messages_of_client() const {
        std::vector<Seen> messages;
        std::copy_if(seen_by_client.begin(), seen_by_client.end(), std::back_inserter(messages),
                     [](const Seen& one) { return one.kind == Kind::message; });
        return messages;
    }
};

TEST(DataChannels, AnOpenedChannelIsTheSameOnTheOtherSide) {
    Session session;
    const Settings settings{.label = "game",
                            .protocol = "p1",
                            .ordered = false,
                            .reliability = {Policy::retransmits, 3}};
    const auto id = session.client.open(settings);
    ASSERT_TRUE(id);
    EXPECT_EQ(*id, 0) << "the DTLS client has the even numbers";
    ASSERT_TRUE(session.until(session.seen_by_server, Kind::opened));
    ASSERT_TRUE(session.server.settings(0));
    EXPECT_EQ(*session.server.settings(0), settings);
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::opened)) << "acknowledged";
    EXPECT_EQ(session.server.open({.label = "back"}), 1);
    EXPECT_TRUE(session.until(session.seen_by_client, Kind::opened, 2));
}

TEST(DataChannels, EveryKindOfMessageComesBackAsItWasSentEvenEmptyOnes) {
    Session session;
    session.echo = true;
    const auto id = *session.client.open({.label = "echo"});
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::connected));
    const std::string large(262144, 'l');
    const std::vector<Seen> sent{{Kind::message, id, true, "text"},
                                 {Kind::message, id, false, std::string("\0\1\2", 3)},
                                 {Kind::message, id, true, ""},
                                 {Kind::message, id, false, ""},
                                 {Kind::message, id, false, large}};
    for (const auto& message : sent) {
        EXPECT_EQ(session.client.send(id, message.text, as_bytes(message.bytes)), Sent::accepted);
    }
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::message, sent.size()));
    EXPECT_EQ(session.messages_of_client(), sent);
}

TEST(DataChannels, OnALossyLinkManyChannelsLoseAndMixUpNothing) {
    Session session(0.1, 4);
    session.echo = true;
    std::vector<ChannelId> ids;
    for (int i = 0; i < 20; ++i)
        ids.push_back(*session.client.open({.label = "c", .ordered = i % 2 == 0}));
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::opened, 20));
    std::size_t sent = 0;
    for (int round = 0; round < 10; ++round) {
        for (const auto id : ids) {
            const auto text = fmt::format("{} on {}", round, id);
            ASSERT_EQ(session.client.send(id, true, as_bytes(text)), Sent::accepted);
            ++sent;
        }
    }
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::message, sent));
    std::map<ChannelId, int> rounds;
    for (const auto& message : session.messages_of_client()) {
        EXPECT_TRUE(message.bytes.ends_with(fmt::format(" on {}", message.channel)));
        const int round = message.bytes[0] - '0';
        const bool ordered = message.channel % 4 == 0;
        EXPECT_TRUE(!ordered || round == rounds[message.channel]);
        ++rounds[message.channel];
    }
    for (const auto id : ids) EXPECT_EQ(rounds[id], 10);
}

TEST(DataChannels, AClosedChannelIsClosedOnBothSidesAndItsNumberFree) {
    Session session;
    const auto id = *session.client.open({.label = "one"});
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::opened));
    session.client.send(id, true, as_bytes("last words"));
    session.client.close(id);
    EXPECT_EQ(session.client.send(id, true, as_bytes("too late")), Sent::refused);
    ASSERT_TRUE(session.until(session.seen_by_server, Kind::closed));
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::closed));
    EXPECT_EQ(Session::count(session.seen_by_server, Kind::message), 1u) << "what was sent before";
    EXPECT_EQ(session.client.size() + session.server.size(), 0u);
    EXPECT_EQ(session.client.open({.label = "two"}), id);
    ASSERT_TRUE(session.until(session.seen_by_server, Kind::opened, 2));
    EXPECT_EQ(session.server.settings(id)->label, "two");
}

TEST(DataChannels, ManyAreClosedAtOnceThoughStreamsAreResetOneRequestAtATime) {
    Session session;
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(session.client.open({.label = "c"}));
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::opened, 50));
    for (ChannelId id = 0; id < 100; id += 2) session.client.close(id);
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::closed, 50));
    ASSERT_TRUE(session.until(session.seen_by_server, Kind::closed, 50));
}

TEST(DataChannels, ThePeerCannotOpenMoreThanTheBound) {
    Session session;
    for (std::size_t i = 0; i < Channels::max_channels; ++i) {
        ASSERT_TRUE(session.client.open({.label = "c"}));
    }
    EXPECT_FALSE(session.client.open({.label = "one too many"}));
    ASSERT_TRUE(session.until(session.seen_by_server, Kind::opened, Channels::max_channels));
}

TEST(DataChannels, ANumberThatIsNotThePeersToGiveIsTakenAndPassedOverByUs) {
    Session session;
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::connected));
    const std::uint8_t open[] = {3, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 'x'};
    session.pair.a().send(1, 50, open);
    ASSERT_TRUE(session.until(session.seen_by_server, Kind::opened));
    EXPECT_EQ(session.server.settings(1)->label, "x");
    EXPECT_EQ(session.server.open({.label = "y"}), 3);
}

TEST(DataChannels, AnOpenThatIsNoneIsEndedAgain) {
    Session session;
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::connected));
    const std::uint8_t open[] = {3, 0x7f, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 'x'};
    session.pair.a().send(0, 50, open);
    session.pair.run(1s);
    EXPECT_EQ(session.server.size(), 0u);
    EXPECT_EQ(Session::count(session.seen_by_server, Kind::opened), 0u);
}

TEST(DataChannels, APartialMessageOfOldBrowsersIsPutTogether) {
    Session session;
    const auto id = *session.client.open({.label = "old"});
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::opened));
    session.pair.a().send(id, 54, as_bytes("one "));
    session.pair.a().send(id, 54, as_bytes("and "));
    session.pair.a().send(id, 51, as_bytes("two"));
    ASSERT_TRUE(session.until(session.seen_by_server, Kind::message));
    EXPECT_EQ(session.seen_by_server.back().bytes, "one and two");
    EXPECT_TRUE(session.seen_by_server.back().text);
}

TEST(DataChannels, ANegotiatedChannelNeedsNoWords) {
    Session session;
    ASSERT_TRUE(session.client.open_negotiated(7, {.label = "agreed"}));
    ASSERT_TRUE(session.server.open_negotiated(7, {.label = "agreed"}));
    EXPECT_FALSE(session.server.open_negotiated(7, {.label = "again"}));
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::connected));
    EXPECT_EQ(session.client.send(7, true, as_bytes("hello")), Sent::accepted);
    ASSERT_TRUE(session.until(session.seen_by_server, Kind::message));
}

TEST(DataChannels, AMessageTooLargeForThePeerIsNotSent) {
    Session session;
    const auto id = *session.client.open({.label = "c"});
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::opened));
    EXPECT_EQ(session.client.send(id, false, as_bytes(std::string(262145, 'x'))), Sent::refused);
}

TEST(DataChannels, TheEndOfTheAssociationIsTheEndOfAll) {
    Session session;
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::connected));
    session.pair.b().close();
    ASSERT_TRUE(session.until(session.seen_by_client, Kind::ended));
}

}  // namespace
}  // namespace strowger::datachannel
