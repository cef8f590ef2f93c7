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
    town.expect_nothing_left();
    EXPECT_EQ(town.network.counters().nowhere, 0u);
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
