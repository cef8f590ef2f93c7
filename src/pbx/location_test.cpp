#include "pbx/location.hpp"

#include <gtest/gtest.h>

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;
using Change = Location::Change;

constexpr Time start{};

Contact contact(std::string uri, Duration lifetime, sip::Transport transport = sip::Transport::udp,
                std::uint64_t flow = 1) {
    Contact contact;
    contact.uri = std::move(uri);
    contact.expires = start + lifetime;
    contact.flow = {transport, {}, *SocketAddress::parse("192.0.2.7:5060"), flow};
    return contact;
}

Contact permanent(std::string uri) {
    Contact contact;
    contact.uri = std::move(uri);
    contact.is_static = true;
    return contact;
}

struct Told {
    std::vector<std::pair<std::string, Change>> changes;
    explicit Told(Location& location) {
        location.on_change([this](const std::string& aor, const Contact& contact, Change change) {
            changes.emplace_back(aor + " " + contact.uri, change);
        });
    }
};

TEST(Location, TellsOfEveryBindingThatIsAddedRefreshedRemovedOrExpires) {
    Location location;
    const Told told(location);
    location.bind("alice", contact("sip:a@192.0.2.7", 60s));
    location.bind("alice", contact("sip:a@192.0.2.7", 120s));
    location.bind("alice", contact("sip:b@192.0.2.8", 60s));
    EXPECT_TRUE(location.unbind("alice", "sip:b@192.0.2.8"));
    location.tick(start + 120s);
    const std::vector<std::pair<std::string, Change>> expected{
        {"alice sip:a@192.0.2.7", Change::added},
        {"alice sip:a@192.0.2.7", Change::refreshed},
        {"alice sip:b@192.0.2.8", Change::added},
        {"alice sip:b@192.0.2.8", Change::removed},
        {"alice sip:a@192.0.2.7", Change::expired}};
    EXPECT_EQ(told.changes, expected);
    EXPECT_EQ(location.size(), 0u);
    EXPECT_TRUE(location.contacts("alice").empty());
}

TEST(Location, ForgetsABindingWhenItsTimeIsOverAndNotBefore) {
    Location location;
    location.bind("alice", contact("sip:a@192.0.2.7", 60s));
    location.bind("bob", contact("sip:b@192.0.2.7", 90s));
    EXPECT_EQ(location.deadline(), start + 60s);
    location.tick(start + 59s);
    EXPECT_EQ(location.size(), 2u);
    location.tick(start + 60s);
    EXPECT_EQ(location.size(), 1u);
    EXPECT_EQ(location.deadline(), start + 90s);
    location.tick(start + 90s);
    EXPECT_EQ(location.size(), 0u);
}

TEST(Location, KeepsWhatIsKnownOfAContactThatRefreshes) {
    Location location;
    auto& first = location.bind("alice", contact("sip:a@192.0.2.7", 60s));
    first.reach = Contact::Reach::unreachable;
    first.round_trip = 12ms;
    const auto& again = location.bind("alice", contact("sip:a@192.0.2.7", 120s));
    EXPECT_FALSE(again.available());
    EXPECT_EQ(again.round_trip, 12ms);
    EXPECT_EQ(again.expires, start + 120s);
}

TEST(Location, DropsWhoRegisteredOverAConnectionThatEnds) {
    Location location;
    location.bind("alice", contact("sip:a@192.0.2.7;transport=tcp", 60s, sip::Transport::tcp, 7));
    location.bind("bob", contact("sip:b@192.0.2.7;transport=ws", 60s, sip::Transport::ws, 7));
    location.bind("carol", contact("sip:c@192.0.2.9;transport=tcp", 60s, sip::Transport::tcp, 8));
    location.bind("dave", contact("sip:d@192.0.2.7", 60s, sip::Transport::udp, 7));
    location.unbind_flow(7);
    EXPECT_TRUE(location.contacts("alice").empty());
    EXPECT_TRUE(location.contacts("bob").empty());
    EXPECT_EQ(location.contacts("carol").size(), 1u);
    EXPECT_EQ(location.contacts("dave").size(), 1u);  // a socket is not a connection
}

TEST(Location, FollowsAContactThatComesBackOverAnotherConnection) {
    Location location;
    location.bind("alice", contact("sip:a@192.0.2.7;transport=tcp", 60s, sip::Transport::tcp, 7));
    location.bind("alice", contact("sip:a@192.0.2.7;transport=tcp", 60s, sip::Transport::tcp, 8));
    location.unbind_flow(7);
    EXPECT_EQ(location.contacts("alice").size(), 1u);
    location.unbind_flow(8);
    EXPECT_EQ(location.size(), 0u);
}

TEST(Location, StaticContactsNeverExpireAndGoOnlyTogether) {
    Location location;
    location.bind("trunk", permanent("sip:192.0.2.1"));
    location.bind("trunk", contact("sip:t@192.0.2.7", 60s));
    location.tick(start + 1000h);
    ASSERT_EQ(location.contacts("trunk").size(), 1u);
    EXPECT_TRUE(location.contacts("trunk").front().is_static);
    location.clear_static();
    EXPECT_EQ(location.size(), 0u);
}

TEST(Location, ARegistrationDoesNotTurnAStaticContactIntoOneThatExpires) {
    Location location;
    location.bind("trunk", permanent("sip:192.0.2.1"));
    location.bind("trunk", contact("sip:192.0.2.1", 60s));
    location.tick(start + 61s);
    EXPECT_EQ(location.contacts("trunk").size(), 1u);
    EXPECT_EQ(location.size(), 1u);
}

TEST(Location, AnAorThatIsEmptyTakesNoMemory) {
    Location location;
    location.bind("alice", contact("sip:a@192.0.2.7", 60s));
    location.unbind("alice", "sip:a@192.0.2.7");
    EXPECT_TRUE(location.all().empty());
    EXPECT_FALSE(location.unbind("alice", "sip:a@192.0.2.7"));
    EXPECT_EQ(location.find("alice"), nullptr);
}

}  // namespace
}  // namespace strowger::pbx
