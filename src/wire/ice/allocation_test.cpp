#include <gtest/gtest.h>

#include <cstdlib>

#include "base/test_allocations.hpp"
#include "wire/ice/agent.hpp"
#include "wire/ice/binding.hpp"
#include "wire/ice/session_table.hpp"

namespace strowger::ice {
namespace {

/// A client that checks once and then only keeps its consent.
class Client {
public:
    Client() { generation_.set_remote({"serv", std::string(24, 's')}); }

    Bytes check() {
        ++transaction_.bytes[0];
        return write_check(
            buffer_, {.transaction = transaction_, .role = Role::controlling, .nominates = true},
            generation_);
    }
    Bytes answer(Bytes check, const SocketAddress& to) {
        const auto id = stun::Message::parse(check)->transaction();
        return write_answer(buffer_, id, to, generation_.local_key, stun::Integrity::sha1);
    }

private:
    Generation generation_{{"clnt", std::string(24, 'c')}};
    stun::TransactionId transaction_{};
    std::array<std::uint8_t, 200> buffer_;
};

TEST(IceAllocation, ChecksAnswersConsentAndLookUpsTakeNoneOnceASessionIsSetUp) {
    if (!test::allocations_are_counted) GTEST_SKIP() << "a sanitizer has its own allocator";
    Random random{1};
    Agent::Config config;
    config.local = {"serv", std::string(24, 's')};
    Agent agent(config, random);
    const SocketAddress own{IpAddress::v4({192, 0, 2, 1}), 1000};
    const SocketAddress from{IpAddress::v4({192, 0, 2, 2}), 2000};
    ASSERT_TRUE(agent.add_local(Candidate::host(own), 0));
    ASSERT_TRUE(agent.set_remote({"clnt", std::string(24, 'c')}));
    SessionTable table(random);
    table.add("serv", 0);
    Client client;
    Transmit transmit;
    Agent::Event event;
    Time now{};

    std::size_t during = 0;
    int answers = 0, checks = 0;
    for (int round = 0; round < 10; ++round) {
        const Bytes check = client.check();
        const auto before = test::allocations;
        const bool routed = table.find(0, from) || table.asked_for(check);
        agent.receive({0, from, check}, now);
        while (agent.poll(transmit)) {
            const auto message = stun::Message::parse(transmit.bytes());
            if (message->message_class() == stun::Class::success) {
                ++answers;
                continue;
            }
            ++checks;
            agent.receive({0, from, client.answer(transmit.bytes(), own)}, now);
        }
        now = agent.deadline();
        agent.tick(now);
        if (round > 2) during += test::allocations - before;  // the first rounds are its set-up
        EXPECT_TRUE(routed);
        while (agent.poll(event)) {
            if (event.kind == Agent::Event::Kind::tuple_seen) {
                table.learn(0, {event.path.socket, event.path.remote});
            }
        }
    }
    EXPECT_EQ(during, 0u);
    EXPECT_EQ(answers, 10);
    EXPECT_GE(checks, 9);
    EXPECT_EQ(agent.state(), Agent::State::completed);
    EXPECT_GT(test::allocations, 0u) << "the counter itself does not count";
}

}  // namespace
}  // namespace strowger::ice
