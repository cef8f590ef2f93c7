#include "io/dns.hpp"

#include <gtest/gtest.h>

#include "io/file.hpp"
#include "io/test_directory.hpp"
#include "io/test_name_server.hpp"

namespace strowger::io {
namespace {

using namespace std::chrono_literals;

struct DnsTest : testing::Test {
    Loop loop;
    NameServer server{loop};
    TestDirectory directory;
    Resolver::Options options;
    std::unique_ptr<Resolver> resolver;

    void SetUp() override {
        options.servers = {server.socket->local()};
        options.hosts_file = directory.path + "/hosts";
        options.timeout = 50ms;
        options.tries = 2;
    }
    void open() { resolver = std::make_unique<Resolver>(loop, options); }

    template <typename T>
    T wait(Task<T> task) {
        std::optional<T> result;
        spawn([](Task<T> t, std::optional<T>& out) -> Task<> { out = co_await std::move(t); }(
                                                       std::move(task), result));
        EXPECT_TRUE(loop.run_until([&] { return result.has_value(); }, 10s));
        return std::move(*result);
    }
};

TEST_F(DnsTest, AsksForAllTypesThatSipNeeds) {
    // The records of RFC 3263 section 4.1.
    server.zone = {
        {"example.com",
         {35, 60,
          be16(50) + be16(50) + text_field("s") + text_field("SIPS+D2T") + text_field("") +
              name_field("_sips._tcp.example.com")}},
        {"example.com",
         {35, 60,
          be16(90) + be16(50) + text_field("s") + text_field("SIP+D2T") + text_field("") +
              name_field("_sip._tcp.example.com")}},
        {"_sip._tcp.example.com",
         {33, 60, be16(0) + be16(1) + be16(5060) + name_field("server1.example.com")}},
        {"_sip._tcp.example.com",
         {33, 60, be16(0) + be16(2) + be16(5062) + name_field("server2.example.com")}},
        {"server1.example.com", {1, 60, std::string("\xc0\x00\x02\x01", 4)}},
        {"server1.example.com",
         {28, 60, std::string("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16)}},
    };
    open();
    auto naptr = wait(resolver->naptr("example.com"));
    ASSERT_TRUE(naptr) << naptr.error().text();
    order_naptr(*naptr);
    ASSERT_EQ(naptr->size(), 2u);
    EXPECT_EQ((*naptr)[0], (NaptrRecord{50, 50, "s", "SIPS+D2T", "", "_sips._tcp.example.com"}));
    EXPECT_EQ((*naptr)[1].service, "SIP+D2T");
    const auto srv = wait(resolver->srv("_sip._tcp.example.com"));
    ASSERT_TRUE(srv) << srv.error().text();
    ASSERT_EQ(srv->size(), 2u);
    EXPECT_TRUE(std::count(srv->begin(), srv->end(), SrvRecord{0, 2, 5062, "server2.example.com"}));
    EXPECT_EQ(wait(resolver->a("server1.example.com"))->at(0).text(), "192.0.2.1");
    EXPECT_EQ(wait(resolver->aaaa("server1.example.com"))->at(0).text(), "2001:db8::1");
    const auto both = wait(resolver->addresses("server1.example.com"));
    ASSERT_TRUE(both);
    EXPECT_EQ(both->size(), 2u);
    EXPECT_TRUE(both->front().is_v4());
}

TEST_F(DnsTest, RemembersAnswersForTheirTtlWithinBounds) {
    server.zone = {{"short.test", {1, 0, std::string("\x0a\0\0\x01", 4)}},
                   {"long.test", {1, 600, std::string("\x0a\0\0\x02", 4)}}};
    options.min_ttl = 40ms;
    open();
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(wait(resolver->a("short.test")));
        EXPECT_TRUE(wait(resolver->a("LONG.test")));
        EXPECT_FALSE(wait(resolver->a("absent.test")));
    }
    EXPECT_EQ(server.questions, 3);
    loop.run_until([] { return false; }, 60ms);
    EXPECT_TRUE(wait(resolver->a("short.test")));
    EXPECT_TRUE(wait(resolver->a("long.test")));
    EXPECT_EQ(server.questions, 4);
    resolver->clear_cache();
    EXPECT_TRUE(wait(resolver->a("long.test")));
    EXPECT_EQ(server.questions, 5);
}

TEST_F(DnsTest, TellsWhatDoesNotExistFromWhatFailed) {
    open();
    const auto absent = wait(resolver->srv("_sip._udp.absent.test"));
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().code(), Resolver::not_found);
    server.silent = true;
    const auto mute = wait(resolver->addresses("mute.test"));
    ASSERT_FALSE(mute);
    EXPECT_EQ(mute.error().code(), Resolver::temporary);
    const auto asked = server.questions;
    EXPECT_FALSE(wait(resolver->a("mute.test")));
    EXPECT_GT(server.questions, asked);  // failures are not remembered
    EXPECT_FALSE(wait(resolver->a("")));
    EXPECT_FALSE(wait(resolver->a(std::string(300, 'a'))));
}

TEST_F(DnsTest, LiteralsAndTheHostsFileNeedNoNetwork) {
    ASSERT_TRUE(
        replace_file(options.hosts_file,
                     "# comment\n::1 both.test\n127.0.0.7\tPBX.test both.test # here\nx y\n"));
    open();
    EXPECT_EQ(wait(resolver->addresses("192.0.2.9"))->at(0).text(), "192.0.2.9");
    EXPECT_EQ(wait(resolver->addresses("[2001:db8::9]"))->at(0).text(), "2001:db8::9");
    EXPECT_EQ(wait(resolver->addresses("pbx.TEST"))->at(0).text(), "127.0.0.7");
    const auto both = wait(resolver->addresses("both.test"));
    ASSERT_EQ(both->size(), 2u);
    EXPECT_EQ(both->at(1).text(), "::1");
    EXPECT_EQ(server.questions, 0);
}

TEST_F(DnsTest, AnAwaitingTaskMayBeDestroyedAndSoMayTheResolver) {
    server.silent = true;
    open();
    {
        auto task = resolver->addresses("gone.test");
        task.start();
        auto other = resolver->addresses("other.test");
        other.start();
        loop.run_until([&] { return server.questions >= 2; }, 2s);
    }
    auto task = resolver->a("third.test");
    task.start();
    resolver.reset();
    loop.run_until([] { return false; }, 20ms);
    EXPECT_FALSE(task.done());
}

// --- the order of servers

TEST(SrvOrder, SortsByPriorityAndSharesByWeight) {
    Random random{3};
    std::map<std::string, int> first;
    constexpr int rounds = 10000;
    for (int i = 0; i < rounds; ++i) {
        std::vector<SrvRecord> records{
            {1, 0, 1, "backup"}, {0, 10, 1, "small"}, {0, 60, 1, "big"}, {0, 30, 1, "middle"}};
        order_srv(records, random);
        ASSERT_EQ(records.size(), 4u);
        ASSERT_EQ(records[3].target, "backup");
        ++first[records[0].target];
    }
    EXPECT_NEAR(first["big"], rounds * 0.6, rounds * 0.02);
    EXPECT_NEAR(first["middle"], rounds * 0.3, rounds * 0.02);
    EXPECT_NEAR(first["small"], rounds * 0.1, rounds * 0.02);
}

TEST(SrvOrder, AWeightOfZeroHasASmallChance) {
    Random random{3};
    int zero_first = 0;
    for (int i = 0; i < 10000; ++i) {
        std::vector<SrvRecord> records{{0, 9, 1, "nine"}, {0, 0, 1, "zero"}};
        order_srv(records, random);
        zero_first += records[0].target == "zero";
    }
    EXPECT_NEAR(zero_first, 1000, 200);  // one number of the ten from 0 to 9
    std::vector<SrvRecord> none;
    order_srv(none, random);
    EXPECT_TRUE(none.empty());
}

}  // namespace
}  // namespace strowger::io
