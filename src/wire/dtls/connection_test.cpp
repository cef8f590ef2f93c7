#include "wire/dtls/connection.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <map>

#include "base/random.hpp"

namespace strowger::dtls {
namespace {

using namespace std::chrono_literals;
using srtp::Suite;

constexpr Time start{};
constexpr WallTime today = std::chrono::sys_days{std::chrono::year{2030} / 6 / 15};
using Datagram = std::vector<std::uint8_t>;

std::shared_ptr<const Identity> identity(Certificate::Key key = Certificate::Key::ecdsa_p256) {
    return Identity::make(Certificate::self_signed(key, today)).value();
}

/// One end, and what came of it.
struct End {
    End(std::shared_ptr<const Identity> own, Connection::Config config)
        : shown(own->fingerprint()), connection(std::move(own), std::move(config)) {}

    void collect(Time now) {
        for (Event event; connection.poll(event);) {
            if (auto* up = std::get_if<Connected>(&event)) {
                connected_at = now;
                keys = up->srtp;
            } else if (auto* data = std::get_if<Received>(&event)) {
                received.emplace_back(as_text(data->data));
            } else if (auto* failure = std::get_if<Failed>(&event)) {
                failed_at = now;
                error = failure->error.text();
            } else {
                closed = true;
            }
        }
    }

    Fingerprint shown;
    Connection connection;
    std::optional<Time> connected_at, failed_at;
    std::optional<SrtpKeys> keys;
    std::vector<std::string> received;
    std::string error;
    bool closed = false;
};

/// A client and a server with a link between that delays, loses, doubles and reorders.
class Pair {
public:
    struct Link {
        Duration delay = 10ms;
        double jitter = 0;  ///< as a part of the delay, either way
        double loss = 0;
        double doubled = 0;
    };

    Pair() : Pair(Link()) {}
    explicit Pair(Link link, std::uint64_t seed = 1) : link_(link), random_(seed) {}

    void make(Connection::Config of_client, Connection::Config of_server) {
        of_client.role = Role::client;
        of_server.role = Role::server;
        const auto mine = client_identity ? client_identity : identity();
        const auto theirs = server_identity ? server_identity : identity();
        if (announce) {
            if (of_client.fingerprints.empty()) of_client.fingerprints = {theirs->fingerprint()};
            if (of_server.fingerprints.empty()) of_server.fingerprints = {mine->fingerprint()};
        }
        client.emplace(mine, of_client);
        server.emplace(theirs, of_server);
        client->connection.start(now);
        drain();
    }
    void make() { make({}, {}); }

    void run(Time end) {
        for (;;) {
            const Time next =
                std::min({on_the_way_.empty() ? Time::max() : on_the_way_.begin()->first,
                          client->connection.deadline(), server->connection.deadline()});
            if (next > end) break;
            now = std::max(now, next);
            if (!on_the_way_.empty() && on_the_way_.begin()->first <= now) {
                const auto [to_server, datagram] = std::move(on_the_way_.begin()->second);
                on_the_way_.erase(on_the_way_.begin());
                (to_server ? server : client)->connection.receive(datagram, now);
            } else {
                client->connection.tick(now);
                server->connection.tick(now);
            }
            drain();
        }
        now = end;
    }

    void drain() {
        take(*client, true);
        take(*server, false);
    }

    bool up() const { return client->connected_at && server->connected_at; }
    Time up_at() const { return std::max(*client->connected_at, *server->connected_at); }

    std::shared_ptr<const Identity> client_identity, server_identity;
    bool announce = true;
    bool cut = false;  ///< nothing arrives any more
    std::function<std::vector<Datagram>(Datagram, bool to_server)> rewrite;
    std::optional<End> client, server;
    Time now = start;
    std::vector<std::pair<Time, std::size_t>> sent_by_client;
    std::size_t largest = 0;

private:
    void take(End& end, bool to_server) {
        for (Bytes bytes; end.connection.poll(bytes);) {
            if (to_server) sent_by_client.emplace_back(now, bytes.size());
            largest = std::max(largest, bytes.size());
            const Datagram datagram(bytes.begin(), bytes.end());
            for (const auto& one :
                 rewrite ? rewrite(datagram, to_server) : std::vector<Datagram>{datagram}) {
                put(one, to_server);
            }
        }
        end.collect(now);
    }

    void put(const Datagram& datagram, bool to_server) {
        if (cut || random_.between(0, 1) < link_.loss) return;
        const int copies = random_.between(0, 1) < link_.doubled ? 2 : 1;
        for (int i = 0; i < copies; ++i) {
            const auto delay = scale(link_.delay, 1 + link_.jitter * (random_.between(0, 2) - 1));
            on_the_way_.emplace(now + delay, std::pair(to_server, datagram));
        }
    }

    Link link_;
    Random random_;
    std::multimap<Time, std::pair<bool, Datagram>> on_the_way_;
};

TEST(Connection, AgreesOnTheSameKeysAtBothEnds) {
    for (const auto suite : {Suite::aead_aes_256_gcm, Suite::aead_aes_128_gcm,
                             Suite::aes_cm_128_hmac_sha1_80, Suite::aes_cm_128_hmac_sha1_32}) {
        Pair pair;
        pair.make({.suites = {suite}}, {.suites = {suite}});
        pair.run(start + 1s);
        ASSERT_TRUE(pair.up());
        ASSERT_TRUE(pair.client->keys && pair.server->keys);
        EXPECT_EQ(pair.client->keys->suite, suite);
        EXPECT_EQ(pair.client->keys->local, pair.server->keys->remote);
        EXPECT_EQ(pair.client->keys->remote, pair.server->keys->local);
        EXPECT_NE(pair.client->keys->local, pair.client->keys->remote);
    }
}

TEST(Connection, TakesTwoRoundTrips) {
    Pair pair({.delay = 10ms});
    pair.make();
    pair.run(start + 1s);
    ASSERT_TRUE(pair.up());
    EXPECT_EQ(*pair.server->connected_at, start + 30ms);
    EXPECT_EQ(*pair.client->connected_at, start + 40ms);
    EXPECT_EQ(pair.client->connection.deadline(), Time::max());
    EXPECT_EQ(pair.server->connection.deadline(), Time::max());
}

TEST(Connection, LetsTheServerChooseTheProfile) {
    Pair pair;
    pair.make({.suites = {Suite::aes_cm_128_hmac_sha1_32, Suite::aes_cm_128_hmac_sha1_80,
                          Suite::aead_aes_128_gcm}},
              {.suites = {Suite::aead_aes_256_gcm, Suite::aead_aes_128_gcm,
                          Suite::aes_cm_128_hmac_sha1_80}});
    pair.run(start + 1s);
    ASSERT_TRUE(pair.up());
    EXPECT_EQ(pair.client->keys->suite, Suite::aead_aes_128_gcm);
}

TEST(Connection, HasNoSrtpKeysWithoutACommonProfile) {
    Pair pair;
    pair.make({.suites = {Suite::aead_aes_128_gcm}}, {.suites = {}});
    pair.run(start + 1s);
    ASSERT_TRUE(pair.up());
    EXPECT_FALSE(pair.client->keys);
    EXPECT_FALSE(pair.server->keys);
}

TEST(Connection, WorksWithRsaAtEitherEnd) {
    const auto rsa = identity(Certificate::Key::rsa);
    for (const bool at_client : {true, false}) {
        Pair pair;
        (at_client ? pair.client_identity : pair.server_identity) = rsa;
        pair.make();
        pair.run(start + 1s);
        EXPECT_TRUE(pair.up());
    }
}

TEST(Connection, IsUpWithinThreeSecondsWhenAFifthIsLost) {
    int slow = 0;
    const auto mine = identity(), theirs = identity();
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        Pair pair({.delay = 20ms, .jitter = 0.5, .loss = 0.2, .doubled = 0.05}, seed);
        pair.client_identity = mine;
        pair.server_identity = theirs;
        pair.make();
        pair.run(start + 20s);
        ASSERT_TRUE(pair.up()) << seed;
        EXPECT_EQ(pair.client->keys->local, pair.server->keys->remote) << seed;
        if (pair.up_at() > start + 3s) ++slow;
    }
    EXPECT_LE(slow, 1);
}

TEST(Connection, PutsManySmallDisorderedFragmentsTogether) {
    const auto rsa = identity(Certificate::Key::rsa);  // some 800 bytes of certificate
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Pair pair({.delay = 20ms, .jitter = 0.9, .loss = 0.1, .doubled = 0.1}, seed);
        pair.client_identity = pair.server_identity = rsa;
        pair.make({.mtu = 256}, {.mtu = 256});
        pair.run(start + 20s);
        ASSERT_TRUE(pair.up()) << seed;
        EXPECT_LE(pair.largest, 256U);
    }
}

TEST(Connection, KeepsItsDatagramsWithinTheMtu) {
    Pair pair;
    pair.client_identity = pair.server_identity = identity(Certificate::Key::rsa);
    pair.make();
    pair.run(start + 1s);
    ASSERT_TRUE(pair.up());
    EXPECT_LE(pair.largest, 1200U);
    EXPECT_GT(pair.largest, 1000U);  // and joins what fits
}

TEST(Connection, RetransmitsAfterFiftyMillisecondsAndThenTwiceAsLong) {
    Pair pair;
    pair.cut = true;
    pair.make();
    pair.run(start + 60s);
    std::vector<Duration> times;
    for (const auto& [time, size] : pair.sent_by_client) times.push_back(time - start);
    EXPECT_EQ(times, (std::vector<Duration>{0ms, 50ms, 150ms, 350ms, 750ms, 1550ms, 3150ms, 6350ms,
                                            10350ms, 14350ms, 18350ms}));
    EXPECT_EQ(*pair.client->failed_at, start + 20s);
    EXPECT_EQ(pair.client->error, "DTLS client: not connected within 20 s");
    EXPECT_EQ(pair.client->connection.deadline(), Time::max());
}

TEST(Connection, OfAServerGivesUpOnAClientThatGoesAway) {
    Pair pair;
    pair.make();
    pair.run(start + 15ms);  // the ClientHello is there
    EXPECT_EQ(pair.server->connection.deadline(), start + 60ms);
    pair.cut = true;
    pair.run(start + 60s);
    EXPECT_EQ(*pair.server->failed_at, start + 10ms + 20s);
}

/// The handshake message in one record of `datagram`, as two records of a datagram each.
std::vector<Datagram> split_hello(const Datagram& datagram) {
    constexpr std::size_t record = 13, handshake = 12;
    const std::size_t body = datagram.size() - record - handshake;
    std::vector<Datagram> parts;
    for (const auto& [from, size] :
         {std::pair(std::size_t{0}, body / 2), std::pair(body / 2, body - body / 2)}) {
        Datagram part(datagram.begin(), datagram.begin() + record + handshake);
        part.insert(
            part.end(), datagram.begin() + static_cast<std::ptrdiff_t>(record + handshake + from),
            datagram.begin() + static_cast<std::ptrdiff_t>(record + handshake + from + size));
        if (from > 0) part[10] = 50;  // a record number that the client does not come to
        store16(part, 11, static_cast<std::uint16_t>(handshake + size));
        store16(part, record + 7, static_cast<std::uint16_t>(from));   // fragment offset
        store16(part, record + 10, static_cast<std::uint16_t>(size));  // fragment length
        parts.push_back(part);
    }
    return parts;
}

TEST(Connection, AcceptsAClientHelloInTwoFragmentsInEitherOrder) {
    for (const bool reversed : {false, true}) {
        Pair pair;
        bool first = true;
        pair.rewrite = [&](const Datagram& datagram, bool to_server) {
            if (!to_server || !first) return std::vector<Datagram>{datagram};
            first = false;
            auto parts = split_hello(datagram);
            if (reversed) std::ranges::reverse(parts);
            return parts;
        };
        pair.make();
        pair.run(start + 45ms);  // without a retransmission
        EXPECT_TRUE(pair.up()) << reversed;
    }
}

TEST(Connection, FailsAtBothEndsWhenTheCertificateIsAnother) {
    const auto other = Fingerprint::of(Hash::sha_256, as_bytes("another certificate"));
    Pair at_client;
    at_client.make({.fingerprints = {other}}, {});
    at_client.run(start + 1s);
    EXPECT_FALSE(at_client.client->connected_at || at_client.server->connected_at);
    EXPECT_EQ(at_client.client->error,
              "DTLS client handshake: the certificate has the fingerprint " +
                  at_client.server->shown.text() + ", which is not the announced one");
    EXPECT_NE(at_client.server->error.find("bad certificate"), std::string::npos)
        << at_client.server->error;

    Pair at_server;
    at_server.make({}, {.fingerprints = {other}});
    at_server.run(start + 1s);
    EXPECT_FALSE(at_server.client->connected_at || at_server.server->connected_at);
    EXPECT_TRUE(at_server.client->failed_at && at_server.server->failed_at);
}

TEST(Connection, TrustsSha1OnlyWhenTold) {
    for (const bool accept : {false, true}) {
        Pair pair;
        pair.server_identity = identity();
        pair.make({.fingerprints = {pair.server_identity->fingerprint(Hash::sha_1)},
                   .accept_sha_1 = accept},
                  {});
        pair.run(start + 1s);
        EXPECT_EQ(pair.up(), accept);
    }
}

TEST(Connection, WaitsForFingerprintsThatComeAfterTheHandshake) {
    Pair pair;
    pair.announce = false;
    pair.client_identity = identity();
    pair.server_identity = identity();
    pair.make({.fingerprints = {pair.server_identity->fingerprint()}}, {});
    pair.run(start + 500ms);
    EXPECT_TRUE(pair.client->connected_at);
    EXPECT_FALSE(pair.server->connected_at);
    ASSERT_TRUE(pair.client->connection.send(as_bytes("too early")));
    pair.drain();
    pair.run(start + 600ms);
    EXPECT_FALSE(pair.server->connection.send(as_bytes("nobody")));
    pair.server->connection.expect({pair.client_identity->fingerprint(Hash::sha_384)});
    pair.drain();
    EXPECT_TRUE(pair.server->connected_at);
    EXPECT_TRUE(pair.server->received.empty());
    EXPECT_EQ(pair.server->keys->remote, pair.client->keys->local);
}

TEST(Connection, EndsWhenTheLateFingerprintIsAnother) {
    Pair pair;
    pair.announce = false;
    pair.server_identity = identity();
    pair.make({.fingerprints = {pair.server_identity->fingerprint()}}, {});
    pair.run(start + 500ms);
    pair.server->connection.expect({Fingerprint::of(Hash::sha_256, as_bytes("another"))});
    pair.drain();
    EXPECT_TRUE(pair.server->error.starts_with("DTLS: the certificate has the fingerprint"));
    EXPECT_FALSE(pair.server->connected_at);
    pair.run(start + 600ms);
    EXPECT_TRUE(pair.client->closed);
}

TEST(Connection, GivesUpWhenTheFingerprintNeverComes) {
    Pair pair;
    pair.announce = false;
    pair.server_identity = identity();
    pair.make({.fingerprints = {pair.server_identity->fingerprint()}}, {});
    pair.run(start + 30s);
    EXPECT_EQ(*pair.server->failed_at, start + 10ms + 20s);
}

TEST(Connection, CarriesRecordsBothWays) {
    Pair pair;
    pair.make();
    pair.run(start + 1s);
    ASSERT_TRUE(pair.up());
    const std::string large(pair.client->connection.max_data(), 'x');
    EXPECT_GT(large.size(), 1100U);
    ASSERT_TRUE(pair.client->connection.send(as_bytes("one")));
    ASSERT_TRUE(pair.client->connection.send(as_bytes(large)));
    ASSERT_TRUE(pair.server->connection.send(as_bytes("two")));
    pair.drain();
    pair.run(start + 2s);
    EXPECT_EQ(pair.server->received, (std::vector<std::string>{"one", large}));
    EXPECT_EQ(pair.client->received, (std::vector<std::string>{"two"}));
    EXPECT_LE(pair.largest, 1200U);
}

TEST(Connection, RefusesRecordsThatDoNotFitOrComeTooEarly) {
    Pair pair;
    pair.make();
    EXPECT_EQ(pair.client->connection.send(as_bytes("x")).error().text(), "DTLS: not connected");
    pair.run(start + 1s);
    const std::string large(pair.client->connection.max_data() + 1, 'x');
    EXPECT_FALSE(pair.client->connection.send(as_bytes(large)));
    EXPECT_FALSE(pair.client->connection.send({}));
}

TEST(Connection, TellsThePeerThatItCloses) {
    Pair pair;
    pair.make();
    pair.run(start + 1s);
    pair.client->connection.close();
    pair.drain();
    pair.run(start + 2s);
    EXPECT_TRUE(pair.server->closed);
    EXPECT_FALSE(pair.client->closed);
    EXPECT_FALSE(pair.server->connection.send(as_bytes("x")));
    const auto sent = pair.sent_by_client.size();
    pair.client->connection.close();
    pair.drain();
    EXPECT_EQ(pair.sent_by_client.size(), sent);
}

TEST(Connection, IgnoresGarbageAtAnyTime) {
    Random random{5};
    Pair pair({.delay = 10ms});
    pair.rewrite = [&](const Datagram& datagram, bool) {
        std::vector<Datagram> all;
        for (int i = 0; i < 5; ++i) {
            Datagram garbage(1 + random.below(200));
            for (auto& byte : garbage) byte = static_cast<std::uint8_t>(random.next());
            garbage[0] = static_cast<std::uint8_t>(20 + random.below(44));
            // One of type handshake in an epoch of its own would be a ClientHello that is broken,
            // which ends a handshake as RFC 6347 section 4.1.2.7 allows.
            if (garbage[0] == 22 || garbage[0] == 21) garbage[0] = 23;
            all.push_back(garbage);
        }
        all.push_back(Datagram(max_datagram + 1, 22));
        all.push_back(datagram);
        return all;
    };
    pair.make();
    pair.run(start + 1s);
    ASSERT_TRUE(pair.up()) << pair.client->error << pair.server->error;
    ASSERT_TRUE(pair.client->connection.send(as_bytes("still here")));
    pair.drain();
    pair.run(start + 2s);
    EXPECT_EQ(pair.server->received, (std::vector<std::string>{"still here"}));
}

TEST(Connection, DeliversARecordOnce) {
    Pair pair({.delay = 10ms, .doubled = 1});
    pair.make();
    pair.run(start + 1s);
    ASSERT_TRUE(pair.up());
    ASSERT_TRUE(pair.client->connection.send(as_bytes("once")));
    pair.drain();
    pair.run(start + 2s);
    EXPECT_EQ(pair.server->received, (std::vector<std::string>{"once"}));
}

TEST(Connection, DropsWhatNobodyPolls) {
    Pair pair;
    pair.make();
    pair.run(start + 1s);
    std::size_t sent = 0;
    for (int i = 0; i < 1000; ++i) {
        ASSERT_TRUE(pair.client->connection.send(as_bytes("x")));
        for (Bytes bytes; pair.client->connection.poll(bytes); ++sent) {
            pair.server->connection.receive(bytes, pair.now);
        }
    }
    EXPECT_EQ(sent, 1000U);
    pair.server->collect(pair.now);
    EXPECT_EQ(pair.server->received.size(), max_unread);
}

TEST(Connection, KeepsAtMost48KiBOnceItIsUp) {
    const auto mine = identity(), theirs = identity();
    constexpr std::size_t count = 30;
    std::vector<std::unique_ptr<Pair>> pairs;
    const auto before = mallinfo2().uordblks;
    for (std::size_t i = 0; i < count; ++i) {
        auto& pair = *pairs.emplace_back(std::make_unique<Pair>());
        pair.client_identity = mine;
        pair.server_identity = theirs;
        pair.make();
        pair.run(start + 1s);
        ASSERT_TRUE(pair.up());
    }
    EXPECT_LE((mallinfo2().uordblks - before) / (2 * count), 48U * 1024);
}

TEST(Connection, OfAnOldIdentityLivesOnAfterTheNewDay) {
    Pair pair;
    {
        DailyIdentity daily(Certificate::Key::ecdsa_p256, start, today);
        pair.server_identity = daily.current();
        pair.make();
        daily.tick(start + 24h, today + 24h);
        pair.server_identity.reset();
    }
    pair.run(start + 1s);
    EXPECT_TRUE(pair.up());
}

}  // namespace
}  // namespace strowger::dtls
