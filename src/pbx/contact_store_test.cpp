#include "pbx/contact_store.hpp"

#include "io/sqlite.hpp"
#include "pbx/test_parts.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;

constexpr WallTime calendar{std::chrono::sys_seconds{std::chrono::seconds{1289690940}}};
const sip::Flow stored_flow{sip::Transport::udp, *SocketAddress::parse("192.0.2.1:5060"),
                            *SocketAddress::parse("203.0.113.5:40000"), 3};

struct ContactStoreTest : testing::Test {
    io::Loop loop;
    io::TestDirectory directory;
    std::string path = directory.path + "/contacts.db";
    WallTime wall = calendar;

    std::unique_ptr<ContactStore> open(Location& location) {
        auto store = ContactStore::open(loop, location, path, [this] { return wall; });
        EXPECT_TRUE(store) << store.error().text();
        return std::move(*store);
    }
    Contact contact(std::string uri, Duration lifetime) {
        Contact contact;
        contact.uri = std::move(uri);
        contact.expires = loop.now() + lifetime;
        contact.registered = loop.now();
        contact.flow = stored_flow;
        return contact;
    }
    /// What a process that starts now finds.
    std::vector<std::string> restored() {
        Location location;
        const auto store = open(location);
        const auto count = store->restore(same);
        EXPECT_TRUE(count) << count.error().text();
        EXPECT_EQ(*count, location.size());
        std::vector<std::string> found;
        for (const auto& [aor, contacts] : location.all())
            for (const auto& contact : contacts) found.push_back(aor + " " + contact.uri);
        std::sort(found.begin(), found.end());
        return found;
    }
    static std::optional<sip::Flow> same(const std::string&, const sip::Flow& flow) { return flow; }
};

using Lines = std::vector<std::string>;

TEST_F(ContactStoreTest, EverythingOfABindingSurvivesARestart) {
    {
        Location location;
        const auto store = open(location);
        Contact c = contact("sip:alice@203.0.113.5:40000", 600s);
        c.path = {"<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"};
        c.user_agent = "Phone \"X\" 'y'; DROP TABLE contacts";
        c.call_id = "a84b4c76e66710";
        c.cseq = 4000000000;
        c.instance = "<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>";
        c.reg_id = 2;
        location.bind("alice", std::move(c));
    }
    wall += 100s;  // the process was away
    Location location;
    const auto store = open(location);
    sip::Flow asked;
    const auto count = store->restore([&](const std::string& aor, const sip::Flow& flow) {
        EXPECT_EQ(aor, "alice");
        asked = flow;
        sip::Flow now = flow;
        now.id = 77;
        return std::optional(now);
    });
    ASSERT_TRUE(count) << count.error().text();
    ASSERT_EQ(*count, 1u);
    EXPECT_EQ(asked.local, stored_flow.local);
    EXPECT_EQ(asked.remote, stored_flow.remote);
    const auto& c = location.contacts("alice").front();
    EXPECT_EQ(c.uri, "sip:alice@203.0.113.5:40000");
    EXPECT_EQ(c.path, (Lines{"<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"}));
    EXPECT_EQ(c.user_agent, "Phone \"X\" 'y'; DROP TABLE contacts");
    EXPECT_EQ(c.call_id, "a84b4c76e66710");
    EXPECT_EQ(c.cseq, 4000000000u);
    EXPECT_EQ(c.instance, "<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>");
    EXPECT_EQ(c.reg_id, 2u);
    EXPECT_EQ(c.flow.id, 77u);
    EXPECT_NEAR(seconds(c.expires - loop.now()), 500, 1);
}

TEST_F(ContactStoreTest, WhatExpiredMeanwhileIsNotBoundAndDoesNotComeBack) {
    {
        Location location;
        const auto store = open(location);
        location.bind("alice", contact("sip:a@192.0.2.7", 60s));
        location.bind("bob", contact("sip:b@192.0.2.7", 600s));
    }
    wall += 61s;
    EXPECT_EQ(restored(), Lines{"bob sip:b@192.0.2.7"});
    wall -= 61s;  // even if the clock is set back
    EXPECT_EQ(restored(), Lines{"bob sip:b@192.0.2.7"});
}

TEST_F(ContactStoreTest, OnlyDynamicContactsThatCanBeReachedAgainAreKept) {
    {
        Location location;
        const auto store = open(location);
        auto over_tcp = contact("sip:a@192.0.2.7;transport=tcp", 600s);
        over_tcp.flow.transport = sip::Transport::tcp;
        location.bind("alice", std::move(over_tcp));
        auto configured = contact("sip:192.0.2.9", 600s);
        configured.is_static = true;
        location.bind("trunk", std::move(configured));
        location.bind("bob", contact("sip:b@192.0.2.7", 600s));
    }
    EXPECT_EQ(restored(), Lines{"bob sip:b@192.0.2.7"});
}

TEST_F(ContactStoreTest, ABindingThatNobodyWantsBackIsForgotten) {
    {
        Location location;
        const auto store = open(location);
        location.bind("deleted", contact("sip:a@192.0.2.7", 600s));
    }
    {
        Location location;
        const auto store = open(location);
        const auto count =
            store->restore([](const std::string&, const sip::Flow&) { return std::nullopt; });
        ASSERT_TRUE(count);
        EXPECT_EQ(*count, 0u);
    }
    EXPECT_EQ(restored(), Lines{});
}

TEST_F(ContactStoreTest, RemovalsAndRefreshesAreWrittenToo) {
    {
        Location location;
        const auto store = open(location);
        location.bind("alice", contact("sip:a@192.0.2.7", 60s));
        location.bind("alice", contact("sip:b@192.0.2.7", 60s));
        store->flush();
        location.unbind("alice", "sip:b@192.0.2.7");
        location.bind("alice", contact("sip:a@192.0.2.7", 600s));
    }
    wall += 61s;
    EXPECT_EQ(restored(), Lines{"alice sip:a@192.0.2.7"});
}

TEST_F(ContactStoreTest, ChangesAreOnDiskAboutASecondLaterInOneTransaction) {
    Location location;
    const auto store = open(location);
    auto reader = io::Database::open(path);
    ASSERT_TRUE(reader);
    const auto rows = [&] {
        auto count = reader->prepare("SELECT COUNT(*) FROM contacts");
        EXPECT_TRUE(count && *count->step());
        return count->integer(0);
    };
    for (int i = 0; i < 500; ++i)
        location.bind("a" + std::to_string(i), contact("sip:a@192.0.2.7", 600s));
    EXPECT_EQ(rows(), 0);
    std::vector<std::int64_t> seen;
    // The writing thread wakes nobody, so somebody has to look.
    for (int looks = 0; looks < 500 && (seen.empty() || seen.back() != 500); ++looks) {
        (void)loop.run_until([] { return false; }, 10ms);
        seen.push_back(rows());
    }
    EXPECT_EQ(seen.back(), 500);
    for (const auto count : seen) EXPECT_TRUE(count == 0 || count == 500) << count;
}

TEST_F(ContactStoreTest, AFileThatIsNoDatabaseIsAnErrorThatNamesIt) {
    Location location;
    const auto store = ContactStore::open(loop, location, directory.path + "/no/such/contacts.db",
                                          [this] { return wall; });
    ASSERT_FALSE(store);
    EXPECT_NE(store.error().text().find("/no/such/contacts.db"), std::string::npos)
        << store.error().text();
}

TEST(ContactStore, RestoresForTheAorsOfTheConfigurationOverTheSocketThatIsOpen) {
    Parts parts("[alice]\ntype=aor\nmax_contacts=1\n[bob]\ntype=aor\nmax_contacts=1\n");
    const auto path = parts.directory.path + "/contacts.db";
    {
        Location location;
        auto store = ContactStore::open(parts.loop, location, path, &io::wall_now);
        ASSERT_TRUE(store);
        for (const auto* aor : {"alice", "gone"}) {
            Contact contact;
            contact.uri = "sip:x@127.0.0.1:5070";
            contact.expires = parts.loop.now() + 600s;
            contact.flow = {sip::Transport::udp, parts.address(),
                            *SocketAddress::parse("127.0.0.1:5070"), 99};
            location.bind(aor, std::move(contact));
        }
    }
    const auto store = ContactStore::open(*parts.core, path);
    ASSERT_TRUE(store) << store.error().text();
    EXPECT_EQ(parts.location.size(), 1u);
    ASSERT_EQ(parts.location.contacts("alice").size(), 1u);
    const auto& flow = parts.location.contacts("alice").front().flow;
    EXPECT_EQ(flow.local, parts.address());
    EXPECT_TRUE(parts.signalling.has_flow(flow.id));
}

}  // namespace
}  // namespace strowger::pbx
