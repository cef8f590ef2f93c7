#include <fmt/format.h>
#include <gtest/gtest.h>

#include "exchange.hpp"
#include "phone.hpp"

namespace strowger::sim {
namespace {

using namespace std::chrono_literals;

const SocketAddress server = *SocketAddress::parse("192.0.2.1:5060");

/// An exchange, and phones 1000, 1001, ... that register there and call each other.
struct Town {
    /// The shorter the expiry, the more often a phone is heard of.
    Town(VirtualNetwork::Weather weather, unsigned count, std::uint64_t seed,
         Duration expiry = 600s)
        : network(weather, seed), exchange(network, server, seed + 1), chance(seed + 2) {
        for (unsigned i = 0; i < count; ++i) {
            const auto user = std::to_string(1000 + i);
            const SocketAddress address{address_of(i), 5060};
            exchange.add_user(user, "secret-" + user);
            phones.push_back(std::make_unique<Phone>(
                network, address, Phone::Account{user, "secret-" + user, server, expiry}, ledger,
                seed + 10 + i));
        }
    }

    static IpAddress address_of(unsigned i) {
        return IpAddress::v4(
            {10, 0, static_cast<std::uint8_t>(i / 250), static_cast<std::uint8_t>(1 + i % 250)});
    }

    void open() {
        for (const auto& phone : phones)
            network.at(network.now() + scale(10s, chance.between(0, 1)),
                       [&phone] { phone->register_now(); });
        network.run_until(network.now() + 60s);
    }

    /// So many calls, begun evenly over the time, each between two phones and to an end by chance.
    void calls(int count, Duration over) {
        const Time begin = network.now();
        for (int number = 1; number <= count; ++number) {
            Plan plan;
            plan.number = number;
            const auto kind = chance.below(10);
            plan.kind = kind < 7   ? Plan::Kind::talk
                        : kind < 8 ? Plan::Kind::busy
                                   : Plan::Kind::abandon;
            plan.ringing = scale(1s, chance.between(1, 20));
            // One in fifty is long enough for its session timers (RFC 4028) to matter.
            plan.talking = scale(1s, chance.below(50) == 0 ? 2000 : chance.between(1, 180));
            plan.callee_hangs_up = chance.below(2) == 0;
            const auto from = chance.below(phones.size());
            const auto to = (from + 1 + chance.below(phones.size() - 1)) % phones.size();
            plans.push_back(plan);
            network.at(begin + over * number / count,
                       [this, from, to, plan] { phones[from]->dial(phones[to]->user(), plan); });
        }
        network.run_until(begin + over + 2100s);
    }

    void close() {
        for (const auto& phone : phones) phone->unregister();
        network.run_until(network.now() + 70s);  // timers J and L: copies of the last ones
    }

    void expect_all_as_planned() const {
        for (const auto& plan : plans) {
            const std::string outcome = plan.kind == Plan::Kind::talk   ? "talked"
                                        : plan.kind == Plan::Kind::busy ? "486"
                                                                        : "487";
            const auto seen = [&](const std::map<int, std::string>& by) {
                const auto found = by.find(plan.number);
                return found == by.end() ? "nothing" : found->second;
            };
            EXPECT_EQ(seen(ledger.caller), outcome) << plan.number;
            EXPECT_EQ(seen(ledger.callee), outcome) << plan.number;
            const auto answers = ledger.caller_answers.find(plan.number);
            EXPECT_EQ(answers == ledger.caller_answers.end() ? 0 : answers->second,
                      plan.kind == Plan::Kind::talk ? 1 : 0)
                << plan.number;
        }
    }

    /// Who hung up is heard by the other one as soon as its request can have got through: within
    /// the life of a transaction on each of the two legs (timer F).
    void expect_both_ends_end_together() const {
        for (const auto& [number, ended] : ledger.callee_ended) {
            const auto caller = ledger.caller_ended.find(number);
            ASSERT_NE(caller, ledger.caller_ended.end()) << number;
            EXPECT_LT(std::abs(seconds(caller->second - ended)), 64) << number;
        }
    }

    void expect_nothing_left() {
        EXPECT_EQ(exchange.registered(), 0u);
        EXPECT_EQ(exchange.calls(), 0u);
        EXPECT_EQ(exchange.legs(), 0u);
        EXPECT_EQ(exchange.transactions(), 0u);
        for (const auto& phone : phones) {
            EXPECT_EQ(phone->legs(), 0u) << phone->user();
            EXPECT_EQ(phone->transactions(), 0u) << phone->user();
        }
    }

    VirtualNetwork network;
    Exchange exchange;
    Random chance;
    Ledger ledger;
    std::vector<std::unique_ptr<Phone>> phones;
    std::vector<Plan> plans;
};

TEST(SimulatedCalls, AnHourOfThemEndsAsItsPeopleMeantIt) {
    Town town({}, 100, 1);
    town.open();
    EXPECT_EQ(town.exchange.registered(), 100u);
    town.calls(3000, 3600s);
    town.close();
    town.expect_all_as_planned();
    town.expect_both_ends_end_together();
    town.expect_nothing_left();
    EXPECT_EQ(town.network.counters().nowhere, 0u);
    // Where nothing is lost and 40 ms bring an answer, nobody says anything twice.
    EXPECT_EQ(town.exchange.repeated(), 0u);
    for (const auto& phone : town.phones) EXPECT_EQ(phone->repeated(), 0u) << phone->user();
}

TEST(SimulatedCalls, LossDelayDuplicationAndReorderingChangeNothingOfThat) {
    for (const std::uint64_t seed : {1, 2, 3}) {
        SCOPED_TRACE(seed);
        Town town({.delay = 80ms, .jitter = 400ms, .loss = 0.05, .duplication = 0.05}, 50, seed);
        town.open();
        EXPECT_EQ(town.exchange.registered(), 50u);
        town.calls(1000, 1200s);
        town.close();
        town.expect_all_as_planned();
        town.expect_both_ends_end_together();
        town.expect_nothing_left();
        EXPECT_GT(town.network.counters().lost, 500u);
    }
}

TEST(SimulatedCalls, PhonesBehindNatsAreReachedThroughWhatTheyRegisteredFrom) {
    Town town({.jitter = 30ms, .loss = 0.01}, 40, 7, 60s);
    for (unsigned home = 0; home < 10; ++home) {
        std::vector<IpAddress> inside;
        for (unsigned i = 0; i < 3; ++i) inside.push_back(Town::address_of(home * 3 + i));
        town.network.add_nat(IpAddress::v4({203, 0, 113, static_cast<std::uint8_t>(home + 1)}),
                             inside, 40s);
    }
    town.open();
    EXPECT_EQ(town.exchange.registered(), 40u);
    town.calls(800, 1200s);
    town.close();
    town.expect_all_as_planned();
    town.expect_nothing_left();
    EXPECT_EQ(town.network.counters().nowhere, 0u);  // nothing went to an address of the inside
}

TEST(SimulatedCalls, NatsThatForgetTheirMappingsNowAndThenLeaveNothingBehind) {
    Town town({.delay = 40ms, .jitter = 200ms, .loss = 0.03, .duplication = 0.03}, 40, 11, 60s);
    std::vector<IpAddress> outsides;
    for (unsigned home = 0; home < 10; ++home) {
        std::vector<IpAddress> inside;
        for (unsigned i = 0; i < 3; ++i) inside.push_back(Town::address_of(home * 3 + i));
        outsides.push_back(IpAddress::v4({203, 0, 113, static_cast<std::uint8_t>(home + 1)}));
        town.network.add_nat(outsides.back(), inside, 40s);
    }
    town.open();
    // One of them every ten seconds, so that each is restarted a dozen times and calls are met in
    // every state.
    for (int i = 0; i < 120; ++i)
        town.network.at(town.network.now() + i * 10s, [&town, &outsides, i] {
            town.network.rebind(outsides[static_cast<std::size_t>(i) % outsides.size()]);
        });
    town.calls(600, 1200s);
    EXPECT_EQ(town.exchange.registered(), 40u);  // each found its way back
    EXPECT_GT(town.network.counters().filtered, 100u);
    town.close();
    // A phone that was not to be reached just then was not called, or not told; but each call has
    // an end at both sides, and nobody waits for anything.
    std::size_t talked = 0;
    for (const auto& plan : town.plans) {
        EXPECT_TRUE(town.ledger.caller.contains(plan.number)) << plan.number;
        talked += town.ledger.caller_answers.contains(plan.number);
    }
    EXPECT_GT(talked, 200u);  // of some 420 that meant to
    town.expect_nothing_left();
}

/// Two phones and one call between them that is meant to last an hour.
struct LongCall : Town {
    LongCall() : Town({}, 2, 21) {
        open();
        Plan plan;
        plan.number = 1;
        plan.ringing = 1s;
        plan.talking = 3600s;
        phones[0]->dial(phones[1]->user(), plan);
    }
    void kill(unsigned which) {
        network.attach(phones[which]->address(), [](const SocketAddress&, std::string_view) {});
    }
};

TEST(SimulatedCalls, APhoneThatDiesInACallIsMissedWhenItsSessionIsNotRefreshed) {
    for (const unsigned dead : {0u, 1u}) {
        SCOPED_TRACE(dead);
        LongCall town;
        town.network.run_until(town.network.now() + 60s);
        EXPECT_EQ(town.exchange.legs(), 2u);
        town.kill(dead);
        town.network.run_until(town.network.now() + 1900s);  // RFC 4028: 1800 by default
        EXPECT_EQ(town.exchange.legs(), 0u);
        EXPECT_EQ(town.exchange.calls(), 0u);
        EXPECT_EQ(town.phones[1 - dead]->legs(), 0u);
    }
}

TEST(SimulatedCalls, ASessionThatIsRefreshedLastsAsLongAsItIsMeantTo) {
    LongCall town;
    town.network.run_until(town.network.now() + 3500s);
    EXPECT_EQ(town.exchange.legs(), 2u);
    town.network.run_until(town.network.now() + 200s);
    EXPECT_EQ(town.ledger.caller.at(1), "talked");
    EXPECT_EQ(town.ledger.callee.at(1), "talked");
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
    const auto at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

TEST(SimulatedCalls, WhoKnowsTheCallIdButNotTheTagsEndsNothing) {
    LongCall town;
    std::string ack;
    town.network.tap = [&](const SocketAddress&, const SocketAddress& to, std::string_view bytes) {
        if (to == server && bytes.starts_with("ACK ") && bytes.find(";tag=") != bytes.npos)
            ack = bytes;  // of the challenged INVITE first, then of the 200
    };
    town.network.run_until(town.network.now() + 10s);
    ASSERT_FALSE(ack.empty());
    std::string answer;
    const SocketAddress stranger = *SocketAddress::parse("198.51.100.66:5060");
    town.network.attach(stranger, [&](const SocketAddress&, std::string_view bytes) {
        answer = bytes.substr(0, bytes.find('\r'));
    });
    auto bye = replaced(replaced(ack, "ACK ", "BYE "), " ACK\r\n", "7 BYE\r\n");
    bye = replaced(bye, town.phones[0]->address().text(), stranger.text());  // Via
    const auto from = bye.find("From:");
    const auto tag = bye.find(";tag=", from);
    town.network.send(stranger, server, bye.insert(tag + 5, "x"));
    town.network.run_until(town.network.now() + 5s);
    EXPECT_EQ(answer, "SIP/2.0 481 Call/Transaction Does Not Exist");
    EXPECT_EQ(town.exchange.legs(), 2u);
    town.network.run_until(town.network.now() + 3700s);
    EXPECT_EQ(town.ledger.caller.at(1), "talked");
    EXPECT_GT(seconds(town.ledger.caller_ended.at(1) - Time{}), 3600);
}

TEST(SimulatedCalls, APhoneThatNoLongerRegistersIsForgottenWhenItsTimeIsOver) {
    Town town({}, 2, 5, 60s);
    town.open();
    EXPECT_EQ(town.exchange.registered(), 2u);
    town.network.run_until(town.network.now() + 600s);
    EXPECT_EQ(town.exchange.registered(), 2u);  // refreshed again and again
    town.network.attach(town.phones[1]->address(), [](const SocketAddress&, std::string_view) {});
    town.network.run_until(town.network.now() + 61s);
    Plan plan;
    plan.number = 1;
    plan.kind = Plan::Kind::busy;
    town.phones[0]->dial("1001", plan);
    town.network.run_until(town.network.now() + 70s);
    EXPECT_EQ(town.ledger.caller.at(1), "404");
}

}  // namespace
}  // namespace strowger::sim
