#include "wire/ice/agent.hpp"

#include <gtest/gtest.h>

#include "wire/ice/binding.hpp"
#include "wire/stun/builder.hpp"

namespace strowger::ice {
namespace {

using namespace std::chrono_literals;
using Kind = Agent::Event::Kind;
using stun::AttributeType;
using stun::Class;
using stun::Integrity;
using stun::Method;

const Credentials ours{"ours", std::string(24, 'o')};
const Credentials theirs{"them", std::string(24, 't')};
const SocketAddress our_address = *SocketAddress::parse("192.0.2.1:1000");
const SocketAddress peer_a = *SocketAddress::parse("198.51.100.1:2000");
const SocketAddress peer_b = *SocketAddress::parse("198.51.100.1:2001");
constexpr std::uint32_t some_priority = 0x6e0000ff;

struct Sent {
    SocketAddress to;
    std::vector<std::uint8_t> bytes;
    stun::Message message() const { return *stun::Message::parse(bytes); }
};

/// An agent, and a peer made of single messages.
struct Table {
    Random random{1};
    Agent agent;
    Generation peer{theirs};  ///< the peer's view of the credentials
    Time now{};
    std::uint8_t next_transaction = 1;

    explicit Table(Role role = Role::controlled, bool lite = false,
                   void (*adjust)(Agent::Config&) = nullptr)
        : agent(
              [&] {
                  Agent::Config config;
                  config.role = role;
                  config.lite = lite;
                  config.local = ours;
                  config.ordinary_checks = role == Role::controlling;
                  if (adjust) adjust(config);
                  return config;
              }(),
              random) {
        peer.set_remote(ours);
        EXPECT_TRUE(agent.add_local(Candidate::host(our_address), 0));
    }

    void meet() { ASSERT_TRUE(agent.set_remote(theirs)); }

    std::vector<Sent> sent() {
        std::vector<Sent> all;
        Transmit transmit;
        while (agent.poll(transmit)) {
            const Bytes b = transmit.bytes();
            all.push_back({transmit.to, {b.begin(), b.end()}});
        }
        return all;
    }
    std::vector<Kind> events() {
        std::vector<Kind> all;
        Agent::Event event;
        while (agent.poll(event)) all.push_back(event.kind);
        return all;
    }

    struct How {
        Role role = Role::controlling;
        bool nominates = false;
        std::uint64_t tie_breaker = 5;
    };
    std::vector<std::uint8_t> check(const How& how) {
        std::array<std::uint8_t, Transmit::max_size> buffer;
        const Bytes bytes = write_check(buffer,
                                        {.transaction = {{next_transaction++}},
                                         .priority = some_priority,
                                         .role = how.role,
                                         .tie_breaker = how.tie_breaker,
                                         .nominates = how.nominates},
                                        peer);
        return {bytes.begin(), bytes.end()};
    }
    void receive(const SocketAddress& from, Bytes bytes) { agent.receive({0, from, bytes}, now); }
    /// The peer checks; what is sent in return.
    std::vector<Sent> check_from(const SocketAddress& from, const How& how) {
        receive(from, check(how));
        return sent();
    }
    std::vector<Sent> check_from(const SocketAddress& from) { return check_from(from, {}); }
    /// The peer answers a check of ours as it should.
    void answer(const Sent& check) { answer(check, check.to); }
    void answer(const Sent& check, const SocketAddress& from) {
        std::array<std::uint8_t, 200> buffer;
        receive(from, write_answer(buffer, check.message().transaction(), our_address,
                                   peer.local_key, Integrity::sha1));
    }
    void refuse(const Sent& check, std::uint16_t code) {
        std::array<std::uint8_t, 200> buffer;
        receive(check.to, write_refusal(buffer, check.message().transaction(), code, {},
                                        &peer.local_key, Integrity::sha1));
    }
};

const Sent* find(const std::vector<Sent>& all, Class c) {
    for (const auto& sent : all) {
        if (sent.message().message_class() == c) return &sent;
    }
    return nullptr;
}

// ---- answering

TEST(IceAgent, AnswersAChecksWithTheAddressThatItCameFrom) {
    Table table;
    const auto sent = table.check_from(peer_a);
    ASSERT_EQ(sent.size(), 1u) << "no check of its own before it knows the peer's password";
    const auto answer = sent[0].message();
    EXPECT_TRUE(answer.is(Class::success, Method::binding));
    EXPECT_EQ(answer.mapped_address(), peer_a);
    EXPECT_EQ(table.peer.remote_key.verifies(answer), Integrity::sha1);
    EXPECT_TRUE(answer.has_fingerprint());
    EXPECT_EQ(sent[0].to, peer_a);
    EXPECT_EQ(table.events(), std::vector{Kind::tuple_seen});
}

TEST(IceAgent, AnswersInTheIntegrityThatItWasAskedWith) {
    Table table;
    std::array<std::uint8_t, 200> buffer;
    table.receive(peer_a, stun::Builder(buffer, Class::request, Method::binding, {{1}})
                              .text(AttributeType::username, table.peer.username)
                              .integrity(table.peer.remote_key, Integrity::sha256)
                              .finish());
    const auto sent = table.sent();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(table.peer.remote_key.verifies(sent[0].message()), Integrity::sha256);
}

TEST(IceAgent, AnEarlyCheckIsRememberedAndReturnedWhenTheAnswerComes) {
    Table table;
    table.check_from(peer_a);
    EXPECT_EQ(table.agent.deadline(), Time::max());
    table.meet();
    EXPECT_LE(table.agent.deadline(), table.now);
    table.agent.tick(table.now);
    const auto sent = table.sent();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].to, peer_a);
    EXPECT_EQ(sent[0].message().username(), "them:ours");
}

TEST(IceAgent, ACheckOfOursHasAllThatTheStandardAsksFor) {
    Table table;
    table.meet();
    const auto sent = table.check_from(peer_a);
    const auto* check = find(sent, Class::request);
    ASSERT_TRUE(check);
    const auto message = check->message();
    EXPECT_EQ(message.username(), "them:ours");
    EXPECT_EQ(message.priority(), 0x6effffffu);  // 110 * 2^24 + 65535 * 2^8 + 255
    EXPECT_TRUE(message.long_number(AttributeType::ice_controlled));
    EXPECT_FALSE(message.use_candidate());
    EXPECT_EQ(table.peer.local_key.verifies(message), Integrity::sha1);
    EXPECT_TRUE(message.has_fingerprint());
}

// ---- refusing

std::uint16_t code_of(const std::vector<Sent>& sent) {
    if (sent.size() != 1 || sent[0].message().message_class() != Class::error) return 0;
    return sent[0].message().error()->code;
}

TEST(IceAgent, RefusesAWrongPasswordAndUnknownFragmentWith401) {
    Table table;
    table.peer.remote_key = stun::IntegrityKey::short_term("wrong");
    EXPECT_EQ(code_of(table.check_from(peer_a)), 401);
    table.peer.set_remote({"oursx", ours.pwd});
    EXPECT_EQ(code_of(table.check_from(peer_a)), 401);
    EXPECT_TRUE(table.events().empty());
    EXPECT_EQ(table.agent.counters().unauthenticated, 2u);
}

TEST(IceAgent, RefusesWhatLacksNameOrIntegrityWith400ButNeverWithMoreThanItGot) {
    Table table;
    std::array<std::uint8_t, 200> buffer;
    table.receive(peer_a, stun::Builder(buffer, Class::request, Method::binding, {{1}})
                              .text(AttributeType::username, "ours:them and some more text")
                              .fingerprint()
                              .finish());
    EXPECT_EQ(code_of(table.sent()), 400);
    table.receive(peer_a, stun::Builder(buffer, Class::request, Method::binding, {{2}}).finish());
    EXPECT_TRUE(table.sent().empty()) << "20 bytes would be answered with more";
}

TEST(IceAgent, RefusesStrangersOnlyFiftyTimesASecond) {
    Table table;
    table.peer.remote_key = stun::IntegrityKey::short_term("wrong");
    std::size_t refused = 0;
    for (int i = 0; i < 200; ++i) refused += table.check_from(peer_a).size();
    EXPECT_EQ(refused, 50u);
    table.now += 1s;
    EXPECT_EQ(table.check_from(peer_a).size(), 1u);
}

TEST(IceAgent, NamesAnUnknownAttributeThatItMustUnderstand) {
    Table table;
    std::array<std::uint8_t, 200> buffer;
    table.receive(peer_a, stun::Builder(buffer, Class::request, Method::binding, {{1}})
                              .text(AttributeType::username, table.peer.username)
                              .attribute(static_cast<AttributeType>(0x7fff), {})
                              .integrity(table.peer.remote_key)
                              .fingerprint()
                              .finish());
    const auto sent = table.sent();
    ASSERT_EQ(code_of(sent), 420);
    const auto unknown = sent[0].message().find(AttributeType::unknown_attributes);
    ASSERT_TRUE(unknown);
    EXPECT_EQ(load16(*unknown, 0), 0x7fff);
    EXPECT_EQ(table.peer.remote_key.verifies(sent[0].message()), Integrity::sha1);
}

// ---- roles

TEST(IceAgent, TheHigherTieBreakerKeepsTheRole) {
    Table low;
    low.meet();
    EXPECT_EQ(code_of(low.check_from(peer_a,
                                     {.role = Role::controlled, .tie_breaker = ~std::uint64_t{0}})),
              487)
        << "the peer wins, and is to take the role that both do not have";
    EXPECT_EQ(low.agent.role(), Role::controlled);

    Table high;
    high.meet();
    high.check_from(peer_a, {.role = Role::controlled, .tie_breaker = 0});
    EXPECT_EQ(high.agent.role(), Role::controlling);
}

TEST(IceAgent, TakesTheOtherRoleWhenTheAnswerIs487AndAsksAgain) {
    Table table;
    table.meet();
    const auto sent = table.check_from(peer_a);
    table.refuse(*find(sent, Class::request), 487);
    EXPECT_EQ(table.agent.role(), Role::controlling);
    table.now += 20ms;
    table.agent.tick(table.now);
    const auto again = table.sent();
    ASSERT_EQ(again.size(), 1u);
    EXPECT_TRUE(again[0].message().long_number(AttributeType::ice_controlling));
}

TEST(IceAgent, ALiteSideNeverTakesControlOfAFullOne) {
    Table table(Role::controlled, true);
    table.meet();
    EXPECT_EQ(code_of(table.check_from(peer_a, {.role = Role::controlled, .tie_breaker = 0})), 487);
    EXPECT_EQ(table.agent.role(), Role::controlled);
}

// The offerer is lite, and its peer checks before the answer has come: what checks is a full side.
TEST(IceAgent, ALiteOffererLeavesControlToThePeerFromItsFirstCheckOn) {
    Table table(Role::controlling, true);
    const auto sent = table.check_from(peer_a, {.role = Role::controlling, .nominates = true});
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].message().message_class(), Class::success);
    EXPECT_EQ(table.agent.role(), Role::controlled);
    table.meet();
    EXPECT_EQ(table.agent.role(), Role::controlled);
    EXPECT_EQ(table.agent.state(), Agent::State::completed);
}

// ---- nomination, as it comes

/// A path of the controlled side that both have checked.
void open_path(Table& table, const SocketAddress& from, bool nominates) {
    const auto sent = table.check_from(from, {.nominates = nominates});
    const auto* check = find(sent, Class::request);
    ASSERT_TRUE(check);
    table.answer(*check);
    table.now += 20ms;
}

TEST(IceAgent, DataMayGoBeforeNominationAndIsSelectedWithIt) {
    Table table;
    table.meet();
    open_path(table, peer_a, false);
    EXPECT_EQ(table.events(), (std::vector{Kind::tuple_seen, Kind::connected}));
    EXPECT_EQ(table.agent.state(), Agent::State::connected);
    EXPECT_EQ(table.agent.path()->remote, peer_a);
    table.check_from(peer_a, {.nominates = true});
    EXPECT_EQ(table.events(), std::vector{Kind::selected});
    EXPECT_EQ(table.agent.state(), Agent::State::completed);
}

TEST(IceAgent, ANominationThatComesBeforeOurCheckIsAnsweredCountsWhenItIs) {
    Table table;
    table.meet();
    const auto sent = table.check_from(peer_a, {.nominates = true});
    EXPECT_EQ(table.agent.state(), Agent::State::checking);
    table.answer(*find(sent, Class::request));
    EXPECT_EQ(table.agent.state(), Agent::State::completed);
}

TEST(IceAgent, OfAggressiveNominationsTheBestPairIsMeant) {
    Table table;
    table.meet();
    auto best = Candidate::host(peer_b);
    auto lesser = Candidate::host(peer_a, 1, 100);
    ASSERT_TRUE(table.agent.add_remote(best));
    ASSERT_TRUE(table.agent.add_remote(lesser));
    open_path(table, peer_a, true);
    EXPECT_EQ(table.agent.path()->remote, peer_a);
    open_path(table, peer_b, true);
    EXPECT_EQ(table.agent.path()->remote, peer_b);
    table.check_from(peer_a, {.nominates = true});
    EXPECT_EQ(table.agent.path()->remote, peer_b);
}

TEST(IceAgent, APeerThatMovesLaterIsFollowed) {
    Table table;
    table.meet();
    ASSERT_TRUE(table.agent.add_remote(Candidate::host(peer_b)));
    open_path(table, peer_b, true);
    table.now += 10s;
    open_path(table, peer_a, true);
    EXPECT_EQ(table.agent.path()->remote, peer_a);
}

/// Runs to `end`, answering what is asked of the addresses that answer.
void run_answering(Table& table, Time end, std::initializer_list<SocketAddress> alive) {
    while (table.agent.deadline() <= end) {
        table.now = std::max(table.now, table.agent.deadline());
        table.agent.tick(table.now);
        for (const auto& each : table.sent()) {
            const bool answers = std::find(alive.begin(), alive.end(), each.to) != alive.end();
            if (answers && each.message().message_class() == Class::request) table.answer(each);
        }
    }
    table.now = end;
}

/// A session on peer_a for ten seconds, and then a check from peer_b that nominates nothing.
void check_from_elsewhere(Table& table, std::initializer_list<SocketAddress> alive) {
    table.meet();
    open_path(table, peer_a, true);
    run_answering(table, table.now + 10s, {peer_a});
    table.receive(peer_b, table.check({}));
    for (const auto& each : table.sent()) {
        const bool answers = std::find(alive.begin(), alive.end(), each.to) != alive.end();
        if (answers && each.message().message_class() == Class::request) table.answer(each);
    }
    run_answering(table, table.now + 3s, alive);
}

TEST(IceAgent, APeerWhosePortChangedIsFollowedOnceTheOldPathIsSilent) {
    Table table;
    check_from_elsewhere(table, {peer_b});
    EXPECT_EQ(table.agent.path()->remote, peer_b);
    run_answering(table, table.now + 120s, {peer_b});
    EXPECT_TRUE(table.agent.path()) << "consent is asked of the new path";
}

TEST(IceAgent, AChangedPortMayChangeBack) {
    Table table;
    check_from_elsewhere(table, {peer_b});
    ASSERT_EQ(table.agent.path()->remote, peer_b);
    table.receive(peer_a, table.check({}));
    run_answering(table, table.now + 3s, {peer_a});
    EXPECT_EQ(table.agent.path()->remote, peer_a);
}

TEST(IceAgent, ASecondPathOfAPeerWhoseFirstStillAnswersIsNotFollowed) {
    Table table;
    check_from_elsewhere(table, {peer_a, peer_b});
    EXPECT_EQ(table.agent.path()->remote, peer_a);
}

TEST(IceAgent, AReplayedCheckFromWhereNobodyAnswersMovesNothing) {
    Table table;
    check_from_elsewhere(table, {});
    EXPECT_EQ(table.agent.path()->remote, peer_a);
}

TEST(IceAgent, ALiteSideFollowsAPeerThatHasChecksFromElsewhereOnly) {
    Table table(Role::controlled, true);
    table.meet();
    table.check_from(peer_a, {.nominates = true});
    table.now += 10s;
    table.check_from(peer_b);
    table.now += 5s;
    table.check_from(peer_b);
    EXPECT_EQ(table.agent.path()->remote, peer_a);
    table.now += 5s;
    table.check_from(peer_b);
    EXPECT_EQ(table.agent.path()->remote, peer_b);
}

TEST(IceAgent, ALiteSideSelectsWhatIsNominated) {
    Table table(Role::controlled, true);
    table.meet();
    EXPECT_EQ(table.check_from(peer_a).size(), 1u) << "an answer and no check";
    EXPECT_EQ(table.agent.path()->remote, peer_a);
    EXPECT_EQ(table.agent.state(), Agent::State::connected);
    table.check_from(peer_b, {.nominates = true});
    EXPECT_EQ(table.agent.path()->remote, peer_b);
    EXPECT_EQ(table.agent.state(), Agent::State::completed);
}

// ---- our checks and their answers

/// A controlling agent's first check, to peer_a.
Sent first_check(Table& table) {
    table.meet();
    EXPECT_TRUE(table.agent.add_remote(Candidate::host(peer_a)));
    table.agent.tick(table.now);
    const auto sent = table.sent();
    EXPECT_EQ(sent.size(), 1u);
    return sent.at(0);
}

TEST(IceAgent, NominatesOneValidPairWithASecondCheck) {
    Table table(Role::controlling);
    const auto check = first_check(table);
    EXPECT_FALSE(check.message().use_candidate());
    table.answer(check);
    const auto sent = table.sent();
    ASSERT_EQ(sent.size(), 1u) << "at once, whatever the pace";
    EXPECT_TRUE(sent[0].message().use_candidate());
    EXPECT_EQ(table.agent.state(), Agent::State::connected);
    table.answer(sent[0]);
    EXPECT_EQ(table.agent.state(), Agent::State::completed);
}

TEST(IceAgent, AnAnswerFromElsewhereFailsThePair) {
    Table table(Role::controlling);
    const auto check = first_check(table);
    table.answer(check, peer_b);
    EXPECT_FALSE(table.agent.path());
    EXPECT_EQ(table.agent.check_list().pairs()[0].state, CandidatePair::State::failed);
}

TEST(IceAgent, AnAnswerWithoutRightIntegrityIsAsIfItHadNotCome) {
    Table table(Role::controlling);
    const auto check = first_check(table);
    table.peer.local_key = stun::IntegrityKey::short_term("wrong");
    table.answer(check);
    EXPECT_FALSE(table.agent.path());
    table.now += 100ms;
    table.agent.tick(table.now);
    const auto again = table.sent();
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0].bytes, check.bytes) << "the same request once more";
}

TEST(IceAgent, ATriggeredCheckReplacesOneUnderWayWhoseAnswerStillCounts) {
    Table table(Role::controlling);
    const auto check = first_check(table);
    table.check_from(peer_a, {.role = Role::controlled});
    table.answer(check);
    EXPECT_EQ(table.agent.state(), Agent::State::connected);
}

TEST(IceAgent, AFailedNominationPassesToTheNextValidPair) {
    Table table(Role::controlling);
    const auto check = first_check(table);
    ASSERT_TRUE(table.agent.add_remote(Candidate::host(peer_b, 1, 100)));
    table.answer(check);
    auto sent = table.sent();
    ASSERT_EQ(sent.size(), 1u);
    const auto nomination = sent[0];
    table.now += 20ms;
    table.agent.tick(table.now);
    sent = table.sent();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].to, peer_b);
    table.answer(sent[0]);
    table.refuse(nomination, 500);
    sent = table.sent();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].to, peer_b);
    EXPECT_TRUE(sent[0].message().use_candidate());
}

// ---- consent

TEST(IceAgent, ConsentIsCheckedOnTheSelectedPairAndRevokedBy403) {
    Table table(Role::controlling);
    table.answer(first_check(table));
    table.answer(table.sent().at(0));
    table.events();
    const Time before = table.now;
    table.now = table.agent.deadline();
    EXPECT_GE(table.now, before + 4s);
    EXPECT_LE(table.now, before + 6s);
    table.agent.tick(table.now);
    const auto sent = table.sent();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_FALSE(sent[0].message().use_candidate());
    table.refuse(sent[0], 403);
    EXPECT_EQ(table.events(), std::vector{Kind::consent_lost});
    EXPECT_FALSE(table.agent.path());
}

// ---- what the owner says

TEST(IceAgent, OtherCredentialsNeedARestart) {
    Table table;
    table.meet();
    EXPECT_TRUE(table.agent.set_remote(theirs));
    EXPECT_FALSE(table.agent.set_remote({"other", std::string(22, 'x')}));
    table.agent.restart({"new1", std::string(22, 'n')});
    EXPECT_TRUE(table.agent.set_remote({"other", std::string(22, 'x')}));
}

TEST(IceAgent, CandidatesThatCannotBeCheckedAreRefusedWithTheReason) {
    Table table;
    for (const std::string_view line :
         {"1 1 udp 1 a.local 9 typ host", "1 1 tcp 1 192.0.2.1 9 typ host tcptype active",
          "1 1 udp 1 192.0.2.1 0 typ host", "1 1 udp 1 0.0.0.0 9 typ host",
          "1 1 udp 1 224.0.0.1 9 typ host"}) {
        const auto added = table.agent.add_remote(*Candidate::parse(line));
        EXPECT_FALSE(added) << line;
    }
    EXPECT_TRUE(table.agent.check_list().pairs().empty());
}

TEST(IceAgent, ALinkLocalAddressIsCheckedFromALinkLocalOneOnly) {
    Table table;
    ASSERT_TRUE(
        table.agent.add_local(Candidate::host(*SocketAddress::parse("[2001:db8::1]:1000")), 1));
    ASSERT_TRUE(table.agent.add_remote(*Candidate::parse("1 1 udp 1 fe80::2 9 typ host")));
    EXPECT_TRUE(table.agent.check_list().pairs().empty());
    ASSERT_TRUE(table.agent.add_local(Candidate::host(*SocketAddress::parse("[fe80::1]:1000")), 2));
    EXPECT_EQ(table.agent.check_list().pairs().size(), 1u);
}

TEST(IceAgent, ASocketOfAComponentThatIsNotUsedIsNoneOfItsSockets) {
    Table table(Role::controlling, true);
    ASSERT_TRUE(table.agent.add_local(Candidate::host(our_address, 2), 1));
    ASSERT_TRUE(table.agent.set_remote(theirs, true));
    ASSERT_TRUE(table.agent.add_remote(Candidate::host(peer_a)));
    table.agent.end_of_candidates();
    table.agent.receive({1, peer_b, table.check({})}, table.now);
    EXPECT_GT(table.agent.deadline(), table.now);
    EXPECT_EQ(table.agent.check_list().pairs().size(), 1u);
}

// ---- bounds

TEST(IceAgent, ThePeerCannotMakeTheListLongerThanItsBound) {
    Table table(Role::controlling);
    for (SocketId socket = 1; socket < 5; ++socket) {
        const SocketAddress address{our_address.ip, static_cast<std::uint16_t>(1000 + socket)};
        ASSERT_TRUE(table.agent.add_local(Candidate::host(address, 1, socket), socket));
    }
    int refused = 0;
    for (std::uint16_t port = 1; port <= 100; ++port) {
        refused += !table.agent.add_remote(Candidate::host({peer_a.ip, port}, 1, port));
    }
    EXPECT_EQ(refused, 100 - static_cast<int>(CandidateTable::max_remotes));
    EXPECT_EQ(table.agent.check_list().pairs().size(), CheckList::max_pairs);
}

TEST(IceAgent, APeerThatChangesItsAddressAllTheTimeIsLearntSixteenTimes) {
    Table table;
    table.meet();
    for (std::uint16_t port = 1; port <= 100; ++port) table.check_from({peer_a.ip, port});
    EXPECT_EQ(table.agent.check_list().pairs().size(), CandidateTable::max_learnt);
}

}  // namespace
}  // namespace strowger::ice
