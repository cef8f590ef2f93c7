#include "pbx/qualify.hpp"

#include <set>

#include "pbx/test_parts.hpp"

namespace strowger::pbx {
namespace {

using namespace std::chrono_literals;

std::string aor(std::string_view name, std::string_view contact, std::string_view more = {}) {
    return fmt::format(
        "[{0}]\ntype=aor\ncontact={1}\nqualify_frequency=1\nqualify_timeout=0.3\n{2}\n"
        "[{0}]\ntype=endpoint\naors={0}\noutbound_auth={0}\n[{0}]\ntype=auth\nusername="
        "pbx\npassword=secret\n",
        name, contact, more);
}

const Contact& contact_of(Parts& parts, std::string_view name) {
    return parts.location.contacts(name).front();
}

TEST(Qualifier, AContactThatAnswersIsReachableAndHasARoundTrip) {
    Parts parts;
    Peer peer(parts, Peer::always(404));  // any answer is a sign of life
    parts.load(aor("bob", peer.uri("bob")));
    Qualifier qualifier(*parts.core);
    qualifier.configure();
    EXPECT_EQ(contact_of(parts, "bob").reach, Contact::Reach::unknown);
    EXPECT_TRUE(contact_of(parts, "bob").available());
    ASSERT_TRUE(
        parts.until([&] { return contact_of(parts, "bob").reach == Contact::Reach::reachable; }));
    EXPECT_GT(contact_of(parts, "bob").round_trip, Duration{});
    EXPECT_LT(contact_of(parts, "bob").round_trip, 1s);

    const auto& options = peer.last();
    EXPECT_EQ(options.method(), sip::Method::options);
    EXPECT_EQ(options.request_uri(), peer.uri("bob"));
    EXPECT_TRUE(options.from().starts_with("<sip:asterisk@127.0.0.1>;tag=")) << options.from();
    EXPECT_EQ(options.header(sip::HeaderId::max_forwards), "70");
    const auto told = parts.events_of<events::ContactStatus>();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0].aor, "bob");
    EXPECT_EQ(told[0].contact, peer.uri("bob"));
    EXPECT_TRUE(told[0].reachable);
}

TEST(Qualifier, AsksOncePerPeriodAndTellsOnlyOfChanges) {
    Parts parts;
    Peer peer(parts, Peer::always(200));
    parts.load(aor("bob", peer.uri("bob")));
    Qualifier qualifier(*parts.core);
    qualifier.configure();
    ASSERT_TRUE(parts.until([&] { return peer.requests.size() == 3; }));
    const auto between = peer.requests[2]->at() - peer.requests[1]->at();
    EXPECT_NEAR(seconds(between), 1.0, 0.3);
    EXPECT_NE(peer.requests[1]->message().call_id(), peer.requests[2]->message().call_id());
    EXPECT_EQ(parts.events_of<events::ContactStatus>().size(), 1u);
}

TEST(Qualifier, SilenceForTheTimeoutMakesItUnreachableAndAnAnswerReachableAgain) {
    Parts parts;
    bool silent = false;
    Peer peer(parts, [&](const sip::Message& request) -> std::optional<std::string> {
        if (silent) return std::nullopt;
        return Peer::reply(request, 200);
    });
    parts.load(aor("bob", peer.uri("bob")));
    Qualifier qualifier(*parts.core);
    qualifier.configure();
    ASSERT_TRUE(
        parts.until([&] { return contact_of(parts, "bob").reach == Contact::Reach::reachable; }));
    silent = true;
    ASSERT_TRUE(
        parts.until([&] { return contact_of(parts, "bob").reach == Contact::Reach::unreachable; }));
    EXPECT_FALSE(contact_of(parts, "bob").available());
    silent = false;
    ASSERT_TRUE(
        parts.until([&] { return contact_of(parts, "bob").reach == Contact::Reach::reachable; }));
    std::vector<bool> told;
    for (const auto& event : parts.events_of<events::ContactStatus>())
        told.push_back(event.reachable);
    EXPECT_EQ(told, (std::vector<bool>{true, false, true}));
}

TEST(Qualifier, WithQualify2xxOnlyAnErrorIsNoSignOfLife) {
    Parts parts;
    Peer peer(parts, Peer::always(503));
    parts.load(aor("bob", peer.uri("bob"), "qualify_2xx_only=yes"));
    Qualifier qualifier(*parts.core);
    qualifier.configure();
    EXPECT_TRUE(
        parts.until([&] { return contact_of(parts, "bob").reach == Contact::Reach::unreachable; }));
}

TEST(Qualifier, AuthenticatesWhenItIsToldTo) {
    Parts parts;
    Peer peer(parts, [](const sip::Message& request) -> std::optional<std::string> {
        if (request.header(sip::HeaderId::authorization)) return Peer::reply(request, 200);
        return Peer::reply(
            request, 401,
            {{"WWW-Authenticate", "Digest realm=\"far\", nonce=\"n1\", qop=\"auth\""}});
    });
    parts.load(aor("bob", peer.uri("bob"), "authenticate_qualify=yes\nqualify_2xx_only=yes"));
    Qualifier qualifier(*parts.core);
    qualifier.configure();
    ASSERT_TRUE(
        parts.until([&] { return contact_of(parts, "bob").reach == Contact::Reach::reachable; }));
    ASSERT_EQ(peer.requests.size(), 2u);
    EXPECT_EQ(peer.requests[0]->message().call_id(), peer.requests[1]->message().call_id());
    EXPECT_EQ(peer.requests[1]->message().cseq(), peer.requests[0]->message().cseq() + 1);
    const auto authorization = *peer.last().header(sip::HeaderId::authorization);
    EXPECT_TRUE(authorization.starts_with("Digest username=\"pbx\", realm=\"far\""))
        << authorization;
}

TEST(Qualifier, APhoneThatRegistersIsAskedAtOnceAndForgottenWhenItLeaves) {
    Parts parts("[alice]\ntype=aor\nmax_contacts=1\nqualify_frequency=60\n");
    Peer peer(parts, Peer::always(200));
    Qualifier qualifier(*parts.core);
    qualifier.configure();
    Contact contact;
    contact.uri = peer.uri("alice");
    contact.expires = parts.loop.now() + 1h;
    parts.location.bind("alice", contact);
    ASSERT_TRUE(parts.until(
        [&] { return contact_of(parts, "alice").reach == Contact::Reach::reachable; }, 1s));
    EXPECT_EQ(qualifier.size(), 1u);
    parts.location.bind("alice", contact);  // a refresh is no reason to ask
    parts.pause(100ms);
    EXPECT_EQ(peer.requests.size(), 1u);
    EXPECT_EQ(contact_of(parts, "alice").reach, Contact::Reach::reachable);
    parts.location.unbind("alice", contact.uri);
    EXPECT_EQ(qualifier.size(), 0u);
}

TEST(Qualifier, AReloadKeepsWhatIsKnownAndStopsAskingWhereItIsTurnedOff) {
    Parts parts;
    Peer peer(parts, Peer::always(200));
    const auto text = aor("bob", peer.uri("bob"));
    parts.load(text);
    Qualifier qualifier(*parts.core);
    qualifier.configure();
    ASSERT_TRUE(
        parts.until([&] { return contact_of(parts, "bob").reach == Contact::Reach::reachable; }));
    parts.load(text);
    qualifier.configure();
    EXPECT_EQ(contact_of(parts, "bob").reach, Contact::Reach::reachable);
    parts.load("[bob]\ntype=aor\ncontact=" + peer.uri("bob") + "\n");
    qualifier.configure();
    EXPECT_EQ(qualifier.size(), 0u);
    EXPECT_EQ(contact_of(parts, "bob").reach, Contact::Reach::unqualified);
}

TEST(Qualifier, ManyContactsAreSpreadOverThePeriod) {
    Parts parts;
    Peer peer(parts, Peer::always(200));
    std::string text;
    for (int i = 0; i < 200; ++i)
        text += fmt::format("[a{0}]\ntype=aor\ncontact={1}\nqualify_frequency=1\n", i,
                            peer.uri(fmt::format("a{}", i)));
    parts.load(text);
    Qualifier qualifier(*parts.core);
    const auto begin = parts.loop.now();
    qualifier.configure();
    ASSERT_TRUE(parts.until([&] { return peer.requests.size() >= 200; }, 20s));
    // A tenth of the period holds about a tenth of them: 20, give or take chance.
    std::array<int, 10> per_tenth{};
    std::set<std::string_view> first;
    for (const auto& request : peer.requests)
        if (first.insert(request->message().request_uri()).second)
            ++per_tenth[std::min<std::size_t>(
                9, static_cast<std::size_t>(seconds(request->at() - begin) * 10))];
    for (const int count : per_tenth) EXPECT_LT(count, 60);
}

TEST(Qualifier, ByHandItAsksAnEndpointsContactsWhateverTheFrequency) {
    Parts parts;
    Peer peer(parts, Peer::always(200));
    parts.load(fmt::format("[bob]\ntype=aor\ncontact={}\n[bob-phone]\ntype=endpoint\naors=bob\n",
                           peer.uri("bob")));
    Qualifier qualifier(*parts.core);
    qualifier.configure();
    EXPECT_EQ(qualifier.qualify("bob-phone"), 1u);
    EXPECT_EQ(qualifier.qualify("nobody"), 0u);
    ASSERT_TRUE(parts.until([&] { return !parts.events_of<events::ContactStatus>().empty(); }));
    EXPECT_EQ(contact_of(parts, "bob").reach, Contact::Reach::unqualified);
    EXPECT_EQ(qualifier.size(), 0u);
}

}  // namespace
}  // namespace strowger::pbx
