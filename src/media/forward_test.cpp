#include <gtest/gtest.h>

#include <thread>

#include "base/text.hpp"
#include "media/test_phone.hpp"

namespace strowger::media {
namespace {

using namespace std::chrono_literals;

const Party alice{"call-1", "alice"};
const Party bob{"call-1", "bob"};

std::vector<std::uint8_t> speech(std::uint8_t seed) {
    std::vector<std::uint8_t> payload(160);
    for (auto& byte : payload) byte = seed = static_cast<std::uint8_t>(seed * 5 + 13);
    return payload;
}

/// Two phones talking PCMU to each other.
class Forward : public ::testing::Test {
protected:
    void SetUp() override {
        exchange.call_in(a, alice, a.sdp("0"));
        exchange.call_out(b, bob, b.sdp("0"));
        exchange.connect(alice, bob);
    }

    TestExchange exchange;
    TestPhone a, b;
};

TEST_F(Forward, CarriesPayloadsWholeBothWaysWithConsecutiveNumbersUnderOneSsrcOfOurOwn) {
    std::optional<rtp::Header> last;
    for (std::uint8_t i = 0; i < 20; ++i) {
        a.send(speech(i));
        const auto heard = b.hear();
        ASSERT_TRUE(heard) << "packet " << int{i};
        EXPECT_EQ(heard->payload, speech(i));
        EXPECT_EQ(heard->header.payload_type, 0);
        EXPECT_NE(heard->header.ssrc, a.ssrc);
        if (last) {
            EXPECT_EQ(heard->header.ssrc, last->ssrc);
            EXPECT_EQ(heard->header.sequence, static_cast<std::uint16_t>(last->sequence + 1));
            EXPECT_EQ(heard->header.timestamp, last->timestamp + 160);
        }
        last = heard->header;
    }
    for (std::uint8_t i = 0; i < 20; ++i) {
        b.send(speech(i));
        const auto heard = a.hear();
        ASSERT_TRUE(heard) << "packet " << int{i};
        EXPECT_EQ(heard->payload, speech(i));
    }
    const PartyStats stats = exchange.settle(alice);
    EXPECT_EQ(stats.received.packets, 20U);
    EXPECT_EQ(stats.received.bytes, 3200U);
    EXPECT_EQ(stats.received.lost, 0U);
    EXPECT_GT(stats.received.mos, 4.2);
    EXPECT_EQ(stats.sent.packets, 20U);
    EXPECT_EQ(stats.mode, "forward");
    EXPECT_EQ(stats.codec, "PCMU");
    EXPECT_EQ(stats.remote, a.local());
}

TEST_F(Forward, ShowsTheReceiverTheGapThatALostPacketLeft) {
    for (std::uint8_t i = 0; i < 5; ++i) {
        a.send(speech(i));
        ASSERT_TRUE(b.hear());
    }
    a.send(speech(5));
    const auto before = b.hear();
    a.sequence += 1;
    a.timestamp += 160;
    a.send(speech(7));
    const auto after = b.hear();
    ASSERT_TRUE(before && after);
    EXPECT_EQ(static_cast<std::uint16_t>(after->header.sequence - before->header.sequence), 2);
    EXPECT_EQ(after->header.timestamp - before->header.timestamp, 320U);
    EXPECT_EQ(exchange.settle(alice).received.lost, 1U);
}

TEST_F(Forward, StaysOneStreamForTheReceiverWhenItIsConnectedToSomebodyElse) {
    const Party carol{"call-1", "carol"};
    TestPhone c;
    exchange.call_in(c, carol, c.sdp("0"));
    for (int i = 0; i < 3; ++i) a.send(speech(1));
    std::optional<TestPhone::Heard> last;
    for (int i = 0; i < 3; ++i) last = b.hear();
    ASSERT_TRUE(last);

    exchange.connect(carol, bob);
    std::this_thread::sleep_for(20ms);
    c.sequence = 100;
    c.timestamp = 999;
    c.send(speech(9));
    const auto heard = b.hear();
    ASSERT_TRUE(heard);
    EXPECT_EQ(heard->payload, speech(9));
    EXPECT_EQ(heard->header.ssrc, last->header.ssrc);
    EXPECT_EQ(heard->header.sequence, static_cast<std::uint16_t>(last->header.sequence + 1));
    EXPECT_TRUE(rtp::newer(heard->header.timestamp, last->header.timestamp));
    a.send(speech(2));
    EXPECT_FALSE(b.hear(50ms)) << "alice was left behind";
    EXPECT_EQ(exchange.settle(alice).why, "not connected");
}

TEST_F(Forward, CarriesNothingFromABlockedPartyUntilItIsUnblocked) {
    ASSERT_TRUE(exchange.run(exchange.engine.block({alice, true, false})));
    exchange.settle(alice);
    a.send(speech(1));
    EXPECT_FALSE(b.hear(50ms));
    ASSERT_TRUE(exchange.run(exchange.engine.block({alice, false, false})));
    exchange.settle(alice);
    a.send(speech(2));
    ASSERT_TRUE(b.hear());
}

TEST_F(Forward, LetsGarbageUnknownPayloadTypesAndDuplicatesFall) {
    a.send(speech(0));
    a.send(speech(1));
    ASSERT_TRUE(b.hear() && b.hear());
    a.send_raw(as_bytes("this is no RTP packet at all, is it?"));
    a.send_raw(as_bytes("\x80"));
    a.send_raw({});
    a.send(speech(2), 96);
    a.sequence -= 2;
    a.send(speech(1));
    EXPECT_FALSE(b.hear(50ms));
    EXPECT_EQ(exchange.settle(alice).received.packets, 2U);
    EXPECT_EQ(exchange.settle(alice).received.duplicates, 1U);
}

TEST_F(Forward, TellsOnceThatMediaHasStarted) {
    a.send(speech(1));
    a.send(speech(2));
    const auto started = exchange.wait_for<MediaStarted>();
    ASSERT_TRUE(started);
    EXPECT_EQ(started->party, alice);
    EXPECT_EQ(started->from, a.local());
    EXPECT_FALSE(exchange.wait_for<MediaStarted>(50ms));
}

TEST_F(Forward, SendsNothingToAPartyThatPutUsOnHoldAndKeepsPortsThroughIt) {
    const auto engine_address = a.remote;
    exchange.call_in(a, alice, a.sdp("0", {}, "sendonly"));
    EXPECT_EQ(a.remote, engine_address);
    exchange.settle(alice);
    b.send(speech(1));
    EXPECT_FALSE(a.hear(50ms));
    a.send(speech(2));
    EXPECT_TRUE(b.hear()) << "sendonly still sends: music on hold of its own";
    exchange.call_in(a, alice, a.sdp("0"));
    EXPECT_EQ(a.remote, engine_address);
    exchange.settle(alice);
    b.send(speech(3));
    EXPECT_TRUE(a.hear());
}

TEST_F(Forward, FollowsAPartyThatMovesByANewOffer) {
    for (int i = 0; i < 5; ++i) a.send(speech(1));
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(b.hear());
    TestPhone elsewhere;
    exchange.call_in(elsewhere, alice, elsewhere.sdp("0"));
    exchange.settle(alice);
    EXPECT_EQ(elsewhere.remote, a.remote);
    b.send(speech(7));
    EXPECT_TRUE(elsewhere.hear());
    EXPECT_FALSE(a.hear(20ms));
    int heard = 0;
    for (std::uint8_t i = 0; i < 6; ++i) {
        elsewhere.send(speech(i));
        if (b.hear(100ms)) ++heard;
    }
    EXPECT_GE(heard, 4);
}

TEST(Translation, GivesEachSideThePayloadTypeThatItAskedFor) {
    TestExchange exchange;
    TestPhone a, b;
    Profile profile{.codecs = {{"opus", 48000, 2}}};
    exchange.call_in(a, alice, a.sdp("111 100", {"111 opus/48000/2", "100 telephone-event/48000"}),
                     profile);
    exchange.call_out(b, bob, b.sdp("96", {"96 opus/48000/2"}), profile);
    exchange.connect(alice, bob);
    a.send({1, 2, 3}, 111);
    const auto at_b = b.hear();
    ASSERT_TRUE(at_b);
    EXPECT_EQ(at_b->header.payload_type, 96);
    EXPECT_EQ(at_b->payload, (std::vector<std::uint8_t>{1, 2, 3}));
    b.send({4, 5}, 96);
    const auto at_a = a.hear();
    ASSERT_TRUE(at_a);
    EXPECT_EQ(at_a->header.payload_type, 111);
    EXPECT_EQ(exchange.settle(alice).mode, "forward");
}

TEST(Translation, SaysWhyTwoCodecsThatHaveNothingInCommonStayIdle) {
    TestExchange exchange;
    TestPhone a, b;
    exchange.call_in(a, alice, a.sdp("111", {"111 EVRC/8000"}), {.codecs = {{"EVRC", 8000, 1}}});
    exchange.call_out(b, bob, b.sdp("0"));
    exchange.connect(alice, bob);
    a.send({1, 2, 3}, 111);
    EXPECT_FALSE(b.hear(50ms));
    const auto stats = exchange.settle(alice);
    EXPECT_EQ(stats.mode, "idle");
    EXPECT_EQ(stats.why, "the peer does not speak EVRC, which cannot be transcoded here");
}

TEST(Translation, ForwardsTelephoneEventsUnderThePeersNumberAndReportsEachPressOnce) {
    TestExchange exchange;
    TestPhone a, b;
    exchange.call_in(a, alice, a.sdp("0 97", {"97 telephone-event/8000"}));
    const auto offer = exchange.call_out(b, bob, b.sdp("0 101", {"101 telephone-event/8000"}));
    EXPECT_NE(offer.find("a=rtpmap:101 telephone-event/8000\r\n"), std::string::npos) << offer;
    EXPECT_NE(offer.find("a=fmtp:101 0-16\r\n"), std::string::npos) << offer;
    exchange.connect(alice, bob);
    for (int i = 0; i < 3; ++i) a.send(speech(1));
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(b.hear());

    const std::uint32_t start = a.timestamp;
    for (std::uint8_t i = 1; i <= 5; ++i)
        a.send_at({5, 10, 0, static_cast<std::uint8_t>(i * 40)}, 97, start, i == 1);
    for (int i = 0; i < 3; ++i) a.send_at({5, 0x80 | 10, 0, 240}, 97, start);
    for (int i = 0; i < 8; ++i) {
        const auto heard = b.hear();
        ASSERT_TRUE(heard);
        EXPECT_EQ(heard->header.payload_type, 101);
        EXPECT_EQ(heard->payload[0], 5);
    }
    const auto down = exchange.wait_for<DtmfEvent>();
    ASSERT_TRUE(down);
    EXPECT_EQ(down->digit, '5');
    EXPECT_FALSE(down->end);
    EXPECT_EQ(down->party, alice);
    const auto up = exchange.wait_for<DtmfEvent>();
    ASSERT_TRUE(up);
    EXPECT_TRUE(up->end);
    EXPECT_EQ(up->duration, 30ms);
    EXPECT_FALSE(exchange.wait_for<DtmfEvent>(50ms));
}

TEST(Translation, LetsAPartyWithoutTelephoneEventsHearTheKeys) {
    TestExchange exchange;
    TestPhone a, b;
    exchange.call_in(a, alice, a.sdp("0 97", {"97 telephone-event/8000"}));
    exchange.call_in(b, bob, b.sdp("0"), {.dtmf = DtmfMode::inband});
    exchange.connect(alice, bob);
    const std::uint32_t start = a.timestamp;
    for (int i = 0; i < 3; ++i) a.send_at({9, 0x80 | 10, 800 >> 8, 800 & 0xff}, 97, start, i == 0);
    int packets = 0;
    while (const auto heard = b.hear(100ms)) {
        EXPECT_EQ(heard->header.payload_type, 0);
        ++packets;
    }
    EXPECT_EQ(packets, 7) << "100 ms of tone and 40 ms of pause";
}

TEST(Engine, ConnectsPartiesOfDifferentCallsWhateverThreadsTheyAreOn) {
    TestExchange exchange({.threads = 4, .first_port = 30000, .last_port = 39999});
    for (int round = 0; round < 8; ++round) {
        const Party one{"one-" + std::to_string(round), "x"},
            other{"other-" + std::to_string(round), "y"};
        TestPhone a, b;
        exchange.call_in(a, one, a.sdp("0"));
        exchange.call_in(b, other, b.sdp("0"));
        exchange.connect(one, other);
        a.send(speech(3));
        ASSERT_TRUE(b.hear()) << round;
        b.send(speech(4));
        ASSERT_TRUE(a.hear()) << round;
        ASSERT_TRUE(exchange.run(exchange.engine.remove({one})));
        ASSERT_TRUE(exchange.run(exchange.engine.remove({other})));
    }
    EXPECT_EQ(exchange.engine.parties(), 0U);
}

TEST(Engine, SpeaksIpv6) {
    TestExchange exchange;
    TestPhone a("::1"), b("::1");
    exchange.call_in(a, alice, a.sdp("0"));
    EXPECT_TRUE(a.remote.ip.is_v6());
    exchange.call_out(b, bob, b.sdp("0"), {.received_from = IpAddress::parse("::1")});
    exchange.connect(alice, bob);
    a.send(speech(1));
    EXPECT_TRUE(b.hear());
    b.send(speech(2));
    EXPECT_TRUE(a.hear());
}

TEST(Engine, BridgesIpv4AndIpv6) {
    TestExchange exchange;
    TestPhone a, b("::1");
    exchange.call_in(a, alice, a.sdp("0"));
    exchange.call_in(b, bob, b.sdp("0"));
    exchange.connect(alice, bob);
    a.send(speech(1));
    EXPECT_TRUE(b.hear());
}

TEST(Engine, EchoesAPartyToItself) {
    TestExchange exchange;
    TestPhone a;
    exchange.call_in(a, alice, a.sdp("8"));
    ASSERT_TRUE(exchange.run(exchange.engine.echo({alice})));
    EXPECT_EQ(exchange.settle(alice).mode, "echo");
    for (std::uint8_t i = 0; i < 5; ++i) {
        a.send(speech(i), 8);
        const auto heard = a.hear();
        ASSERT_TRUE(heard);
        EXPECT_EQ(heard->payload, speech(i));
    }
}

TEST(Engine, AnswersNothingInCommonWith488AndKeepsNoPort) {
    TestExchange exchange;
    TestPhone a;
    const auto answer = exchange.run(exchange.engine.publish({alice, a.sdp("4"), {}}));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), 488);
    EXPECT_EQ(exchange.engine.ports_in_use(), 0U);
    EXPECT_EQ(exchange.engine.parties(), 0U);
}

TEST(Engine, AnswersOnTheSamePortsAndRaisesTheVersionOnlyWhenSomethingChanged) {
    TestExchange exchange;
    TestPhone a;
    const auto first = exchange.run(exchange.engine.publish({alice, a.sdp("0"), {}}));
    const auto same = exchange.run(exchange.engine.publish({alice, a.sdp("0"), {}}));
    const auto held =
        exchange.run(exchange.engine.publish({alice, a.sdp("0", {}, "inactive"), {}}));
    ASSERT_TRUE(first && same && held);
    EXPECT_EQ(*first, *same);
    EXPECT_NE(*held, *first);
    EXPECT_NE(held->find("a=inactive\r\n"), std::string::npos);
    EXPECT_EQ(sdp::Session::parse(*held)->media[0].port,
              sdp::Session::parse(*first)->media[0].port);
    EXPECT_EQ(exchange.engine.ports_in_use(), 1U);
}

TEST(Engine, NamesTheRangeWhenPortsRunOutAndUsesFreedOnesLate) {
    TestExchange exchange({.threads = 1, .first_port = 29901, .last_port = 29907});
    TestPhone phone;
    std::vector<std::uint16_t> ports;
    for (int i = 0; i < 3; ++i) {
        const Party party{"call", std::to_string(i)};
        exchange.call_in(phone, party, phone.sdp("0"));
        ports.push_back(phone.remote.port);
    }
    EXPECT_EQ(ports, (std::vector<std::uint16_t>{29902, 29904, 29906}));
    const auto fourth = exchange.run(exchange.engine.publish({{"call", "3"}, phone.sdp("0"), {}}));
    ASSERT_FALSE(fourth);
    EXPECT_NE(fourth.error().text().find("RTP ports 29901 to 29907"), std::string::npos)
        << fourth.error().text();
    ASSERT_TRUE(exchange.run(exchange.engine.remove({{"call", "1"}})));
    ASSERT_TRUE(exchange.run(exchange.engine.remove({{"call", "0"}})));
    exchange.call_in(phone, {"call", "4"}, phone.sdp("0"));
    EXPECT_EQ(phone.remote.port, 29904);
}

TEST(Engine, ReportsSilenceOnceUntilThePartyIsHeardAgain) {
    TestExchange exchange;
    TestPhone a;
    exchange.call_in(a, alice, a.sdp("0"), {.rtp_timeout = 150ms});
    const auto first = exchange.wait_for<MediaTimeout>();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->party, alice);
    EXPECT_GE(first->silence, 150ms);
    EXPECT_LT(first->silence, 250ms);
    EXPECT_FALSE(exchange.wait_for<MediaTimeout>(250ms));
}

TEST(Engine, RefusesRequestsForUnknownPartiesExceptRemoval) {
    TestExchange exchange;
    EXPECT_FALSE(exchange.run(exchange.engine.echo({alice})));
    EXPECT_FALSE(exchange.run(exchange.engine.connect({alice, bob})));
    EXPECT_FALSE(exchange.run(exchange.engine.query({alice})));
    EXPECT_TRUE(exchange.run(exchange.engine.remove({alice})));
}

}  // namespace
}  // namespace strowger::media
