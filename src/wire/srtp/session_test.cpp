#include <gtest/gtest.h>

#include "wire/srtp/receiver.hpp"
#include "wire/srtp/sender.hpp"
#include "wire/srtp/test_bytes.hpp"

namespace strowger::srtp {
namespace {

constexpr std::uint32_t ssrc = 0xcafebabe;

struct Pair {
    Sender sender;
    Receiver receiver;
};

Pair pair_of(const Policy& policy, Sender::Repeats repeats = Sender::Repeats::refused) {
    const IdentifiedKey key{.master = MasterKey::random(policy.suite), .mki = {}};
    return {Sender::make(policy, key, repeats).value(), Receiver::make(policy, key).value()};
}

Buffer protected_by(Sender& sender, Buffer packet) {
    const auto size = packet.size();
    packet.resize(size + sender.headroom());
    const auto made = sender.protect(packet, size);
    EXPECT_TRUE(made) << text_of(made.error());
    packet.resize(made.value_or(0));
    return packet;
}

Buffer protected_rtcp_by(Sender& sender, Buffer packet) {
    const auto size = packet.size();
    packet.resize(size + sender.headroom());
    const auto made = sender.protect_rtcp(packet, size);
    EXPECT_TRUE(made) << text_of(made.error());
    packet.resize(made.value_or(0));
    return packet;
}

/// The plain packet, or the fault in words.
std::string read_by(Receiver& receiver, Buffer packet) {
    const auto size = receiver.unprotect(packet);
    return size ? hex(Bytes(packet).first(*size)) : std::string(text_of(size.error()));
}
std::string read_rtcp_by(Receiver& receiver, Buffer packet) {
    const auto size = receiver.unprotect_rtcp(packet);
    return size ? hex(Bytes(packet).first(*size)) : std::string(text_of(size.error()));
}

class EverySuite : public testing::TestWithParam<Suite> {};

TEST_P(EverySuite, CarriesRtpAndRtcpAndAddsTheSizesOfItsTags) {
    auto [sender, receiver] = pair_of({.suite = GetParam()});
    const auto& info = info_of(GetParam());
    for (std::uint16_t sequence = 65'530; sequence != 10; ++sequence) {
        const auto plain = rtp_packet(ssrc, sequence, sequence % 50);
        const auto wire = protected_by(sender, plain);
        EXPECT_EQ(wire.size(), plain.size() + info.rtp_tag);
        EXPECT_EQ(read_by(receiver, wire), hex(plain));
    }
    const auto report = rtcp_packet(ssrc);
    const auto wire = protected_rtcp_by(sender, report);
    EXPECT_EQ(wire.size(), report.size() + 4 + info.rtcp_tag);
    EXPECT_EQ(load32(wire, GetParam() <= Suite::aead_aes_128_gcm ? wire.size() - 4 : report.size()),
              0x80000001);
    EXPECT_EQ(read_rtcp_by(receiver, wire), hex(report));
}

TEST_P(EverySuite, HidesThePayloadUnlessItsCipherIsNull) {
    auto [sender, receiver] = pair_of({.suite = GetParam()});
    const auto plain = rtp_packet(ssrc, 1, 32);
    const auto wire = protected_by(sender, plain);
    EXPECT_TRUE(std::equal(plain.begin(), plain.begin() + 12, wire.begin()));
    EXPECT_EQ(std::equal(plain.begin() + 12, plain.end(), wire.begin() + 12),
              info_of(GetParam()).cipher == Cipher::null);
}

TEST_P(EverySuite, RefusesEveryChangedByte) {
    auto [sender, receiver] = pair_of({.suite = GetParam()});
    const auto wire = protected_by(sender, rtp_packet(ssrc, 1, 32));
    const auto report = protected_rtcp_by(sender, rtcp_packet(ssrc));
    for (std::size_t i = 0; i < wire.size(); ++i) {
        auto broken = wire;
        broken[i] ^= 0x40;
        EXPECT_FALSE(receiver.unprotect(broken)) << i;
    }
    for (std::size_t i = 0; i < report.size(); ++i) {
        auto broken = report;
        broken[i] ^= 0x04;
        EXPECT_FALSE(receiver.unprotect_rtcp(broken)) << i;
    }
    EXPECT_TRUE(receiver.states().empty());  // what was forged left nothing behind
    EXPECT_EQ(read_by(receiver, wire), hex(rtp_packet(ssrc, 1, 32)));
}

TEST_P(EverySuite, RefusesEveryShortenedPacket) {
    auto [sender, receiver] = pair_of({.suite = GetParam()});
    const auto wire = protected_by(sender, rtp_packet(ssrc, 1, 32));
    const auto report = protected_rtcp_by(sender, rtcp_packet(ssrc));
    for (std::size_t size = 0; size < wire.size(); ++size) {
        Buffer part(wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_FALSE(receiver.unprotect(part)) << size;
    }
    for (std::size_t size = 0; size < report.size(); ++size) {
        Buffer part(report.begin(), report.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_FALSE(receiver.unprotect_rtcp(part)) << size;
    }
}

std::vector<Suite> all_suites() {
    std::vector<Suite> all;
    for (const auto& info : suites) all.push_back(info.suite);
    return all;
}

INSTANTIATE_TEST_SUITE_P(Srtp, EverySuite, testing::ValuesIn(all_suites()),
                         [](const auto& test) { return std::string(info_of(test.param).name); });

TEST(Session, RefusesAPacketTheSecondTime) {
    auto [sender, receiver] = pair_of({});
    const auto wire = protected_by(sender, rtp_packet(ssrc, 5));
    const auto report = protected_rtcp_by(sender, rtcp_packet(ssrc));
    EXPECT_EQ(read_by(receiver, wire), hex(rtp_packet(ssrc, 5)));
    EXPECT_EQ(read_by(receiver, wire), "packet seen before");
    EXPECT_EQ(read_rtcp_by(receiver, report), hex(rtcp_packet(ssrc)));
    EXPECT_EQ(read_rtcp_by(receiver, report), "packet seen before");
}

TEST(Session, TakesPacketsInAnyOrderWithinTheWindow) {
    auto [sender, receiver] = pair_of({});
    std::vector<Buffer> wires;
    for (std::uint16_t sequence = 65'000; sequence != 1000; ++sequence) {
        wires.push_back(protected_by(sender, rtp_packet(ssrc, sequence)));
    }
    EXPECT_EQ(read_by(receiver, wires[0]), hex(rtp_packet(ssrc, 65'000)));
    EXPECT_EQ(read_by(receiver, wires[1000]), hex(rtp_packet(ssrc, 464)));
    EXPECT_EQ(read_by(receiver, wires[1]), hex(rtp_packet(ssrc, 65'001)));
    EXPECT_EQ(read_by(receiver, wires[1030]), hex(rtp_packet(ssrc, 494)));
    EXPECT_EQ(read_by(receiver, wires[6]), "packet older than the replay window");  // 1024 back
    EXPECT_EQ(read_by(receiver, wires[7]), hex(rtp_packet(ssrc, 65'007)));
}

TEST(Session, FollowsTheRolloverThroughTenTurnsWithHalfThePacketsLost) {
    auto [sender, receiver] = pair_of({.suite = Suite::aead_aes_128_gcm});
    std::uint64_t index = 40'000;
    for (; index < 10 * 65'536; index += 997) {
        const auto sequence = static_cast<std::uint16_t>(index);
        const auto wire = protected_by(sender, rtp_packet(ssrc, sequence));
        if (index % 2 == 0) continue;
        ASSERT_EQ(read_by(receiver, wire), hex(rtp_packet(ssrc, sequence))) << index;
    }
    EXPECT_EQ(*sender.states()[0].rtp_index >> 16, 9U);
    EXPECT_EQ(*receiver.states()[0].rtp_index >> 16, 9U);
}

TEST(Session, KeepsItsSsrcsApart) {
    auto [sender, receiver] = pair_of({});
    for (std::uint32_t one = 1; one <= max_streams; ++one) {
        const auto sequence = static_cast<std::uint16_t>(one * 7);
        ASSERT_EQ(read_by(receiver, protected_by(sender, rtp_packet(one * 65'537, sequence))),
                  hex(rtp_packet(one * 65'537, sequence)));
    }
    auto beyond = rtp_packet(7, 1);
    beyond.resize(100);
    EXPECT_EQ(sender.protect(beyond, 32).error(), Fault::too_many_streams);
    EXPECT_EQ(sender.states().size(), max_streams);
    EXPECT_TRUE(sender.protect(beyond, 0).error() == Fault::malformed);
}

TEST(Session, SendsTwoPacketsUnderOneSequenceNumberOnlyWhenTold) {
    auto strict = pair_of({});
    protected_by(strict.sender, rtp_packet(ssrc, 5));
    auto again = rtp_packet(ssrc, 5);
    again.resize(100);
    EXPECT_EQ(strict.sender.protect(again, 32).error(), Fault::replayed);

    auto relay = pair_of({}, Sender::Repeats::allowed);
    const auto first = protected_by(relay.sender, rtp_packet(ssrc, 5));
    EXPECT_EQ(hex(protected_by(relay.sender, rtp_packet(ssrc, 5))), hex(first));
}

TEST(Session, SaysWhenTheBufferHasNoRoomForTheTag) {
    auto [sender, receiver] = pair_of({});
    auto packet = rtp_packet(ssrc, 5);
    EXPECT_EQ(sender.protect(packet, packet.size()).error(), Fault::no_room);
    packet.resize(packet.size() + 10);
    EXPECT_TRUE(sender.protect(packet, packet.size() - 10));
    auto report = rtcp_packet(ssrc);
    report.resize(report.size() + 13);
    EXPECT_EQ(sender.protect_rtcp(report, report.size() - 13).error(), Fault::no_room);
}

TEST(Session, GoesOnWhereItWasWithTheStatesOfItsPredecessor) {
    const IdentifiedKey key{.master = MasterKey::random(Suite::aead_aes_256_gcm), .mki = {}};
    const Policy policy{.suite = Suite::aead_aes_256_gcm};
    auto sender = Sender::make(policy, key).value();
    auto receiver = Receiver::make(policy, key).value();
    for (const std::uint16_t sequence : {60'000, 20'000, 50'000, 10'000}) {  // two rollovers
        read_by(receiver, protected_by(sender, rtp_packet(ssrc, sequence)));
    }
    const auto old_report = protected_rtcp_by(sender, rtcp_packet(ssrc));
    read_rtcp_by(receiver, old_report);
    ASSERT_EQ(sender.states(),
              (std::vector{
                  StreamState{.ssrc = ssrc, .rtp_index = (2U << 16) + 10'000, .rtcp_index = 1}}));
    ASSERT_EQ(receiver.states(), sender.states());

    auto next_sender = Sender::make(policy, key).value();
    auto next_receiver = Receiver::make(policy, key).value();
    auto without_state = Receiver::make(policy, key).value();
    ASSERT_TRUE(next_sender.resume(sender.states()[0]));
    ASSERT_TRUE(next_receiver.resume(receiver.states()[0]));
    const auto wire = protected_by(next_sender, rtp_packet(ssrc, 10'001));
    EXPECT_EQ(read_by(next_receiver, wire), hex(rtp_packet(ssrc, 10'001)));
    EXPECT_EQ(read_rtcp_by(next_receiver, old_report), "packet seen before");
    EXPECT_EQ(read_rtcp_by(next_receiver, protected_rtcp_by(next_sender, rtcp_packet(ssrc))),
              hex(rtcp_packet(ssrc)));
    EXPECT_EQ(read_by(without_state, wire), "authentication tag does not match");
}

TEST(Session, EndsWhenTheKeyIsUsedUp) {
    auto [sender, receiver] = pair_of({});
    ASSERT_TRUE(sender.resume(
        {.ssrc = ssrc, .rtp_index = rtp_index_end - 2, .rtcp_index = rtcp_index_end - 2}));
    auto packet = rtp_packet(ssrc, 0xffff);
    packet.resize(100);
    EXPECT_TRUE(sender.protect(packet, 32));
    packet = rtp_packet(ssrc, 0);
    packet.resize(100);
    EXPECT_EQ(sender.protect(packet, 32).error(), Fault::key_exhausted);
    auto report = rtcp_packet(ssrc);
    report.resize(100);
    EXPECT_TRUE(sender.protect_rtcp(report, 24));
    report = rtcp_packet(ssrc);
    report.resize(100);
    EXPECT_EQ(sender.protect_rtcp(report, 24).error(), Fault::key_exhausted);
}

TEST(Session, FindsTheKeyByItsIdentifier) {
    for (const auto suite : {Suite::aes_cm_128_hmac_sha1_32, Suite::aead_aes_128_gcm}) {
        const Policy policy{.suite = suite};
        const std::vector<IdentifiedKey> keys{{MasterKey::random(suite), {0, 0, 0, 1}},
                                              {MasterKey::random(suite), {0, 0, 0, 2}}};
        auto first = Sender::make(policy, keys[0]).value();
        auto second = Sender::make(policy, keys[1]).value();
        auto receiver = Receiver::make(policy, keys).value();
        const auto wire = protected_by(first, rtp_packet(ssrc, 1));
        EXPECT_EQ(wire.size(), 32U + 4 + info_of(suite).rtp_tag);
        EXPECT_EQ(read_by(receiver, wire), hex(rtp_packet(ssrc, 1)));
        EXPECT_EQ(read_by(receiver, protected_by(second, rtp_packet(ssrc, 2))),
                  hex(rtp_packet(ssrc, 2)));
        EXPECT_EQ(read_rtcp_by(receiver, protected_rtcp_by(first, rtcp_packet(ssrc))),
                  hex(rtcp_packet(ssrc)));
        // The counters are of the SSRC, whatever the key (RFC 3711 section 3.2.1).
        ASSERT_TRUE(second.resume({.ssrc = ssrc, .rtp_index = {}, .rtcp_index = 1}));
        EXPECT_EQ(read_rtcp_by(receiver, protected_rtcp_by(second, rtcp_packet(ssrc))),
                  hex(rtcp_packet(ssrc)));
        auto third = Sender::make(policy, {keys[0].master, {0, 0, 0, 3}}).value();
        EXPECT_EQ(read_by(receiver, protected_by(third, rtp_packet(ssrc, 3))),
                  "unknown master key identifier");
    }
}

TEST(Session, NeedsIdentifiersOfOneLengthForSeveralKeys) {
    const auto master = MasterKey::random(Suite::aes_cm_128_hmac_sha1_80);
    const std::vector<IdentifiedKey> two{{master, {1}}, {master, {0, 2}}};
    EXPECT_FALSE(Receiver::make({}, two));
    const std::vector<IdentifiedKey> unnamed{{master, {}}, {master, {}}};
    EXPECT_FALSE(Receiver::make({}, unnamed));
    EXPECT_FALSE(Receiver::make({}, std::span<const IdentifiedKey>{}));
    EXPECT_FALSE(Receiver::make({.suite = Suite::aes_256_cm_hmac_sha1_80}, {master, {}}));
    EXPECT_FALSE(Sender::make({}, {master, Buffer(129)}));
}

TEST(Session, LeavesRtpInTheClearWhenToldButStillTagsIt) {
    auto [sender, receiver] = pair_of({.encrypt_rtp = false});
    const auto plain = rtp_packet(ssrc, 1);
    auto wire = protected_by(sender, plain);
    EXPECT_EQ(wire.size(), plain.size() + 10);
    EXPECT_TRUE(std::equal(plain.begin(), plain.end(), wire.begin()));
    wire[20] ^= 1;
    EXPECT_EQ(read_by(receiver, wire), "authentication tag does not match");
    wire[20] ^= 1;
    EXPECT_EQ(read_by(receiver, wire), hex(plain));
}

TEST(Session, LeavesOutTheTagOfRtpWhenToldAndNeverThatOfRtcp) {
    auto [sender, receiver] = pair_of({.authenticate_rtp = false});
    const auto plain = rtp_packet(ssrc, 1);
    const auto wire = protected_by(sender, plain);
    EXPECT_EQ(wire.size(), plain.size());
    EXPECT_NE(hex(wire), hex(plain));
    EXPECT_EQ(read_by(receiver, wire), hex(plain));
    EXPECT_EQ(protected_rtcp_by(sender, rtcp_packet(ssrc)).size(), 24U + 4 + 10);
}

TEST(Session, LeavesRtcpInTheClearWhenToldAndSaysSoInTheEFlag) {
    for (const auto suite : {Suite::aes_cm_128_hmac_sha1_80, Suite::aead_aes_128_gcm}) {
        auto [sender, receiver] = pair_of({.suite = suite, .encrypt_rtcp = false});
        const auto wire = protected_rtcp_by(sender, rtcp_packet(ssrc));
        EXPECT_EQ(hex(Bytes(wire).first(24)), hex(rtcp_packet(ssrc)));
        EXPECT_EQ(load32(wire, suite == Suite::aead_aes_128_gcm ? 24 + 16 : 24), 1U);
        EXPECT_EQ(read_rtcp_by(receiver, wire), hex(rtcp_packet(ssrc)));
    }
}

TEST(Session, RefusesAeadWithoutEncryptionOrTag) {
    const IdentifiedKey key{.master = MasterKey::random(Suite::aead_aes_128_gcm), .mki = {}};
    EXPECT_FALSE(Sender::make({.suite = Suite::aead_aes_128_gcm, .encrypt_rtp = false}, key));
    EXPECT_FALSE(
        Receiver::make({.suite = Suite::aead_aes_128_gcm, .authenticate_rtp = false}, key));
}

TEST(Session, ReadsHeadersWithSourcesAndExtension) {
    auto [sender, receiver] = pair_of({});
    auto plain = unhex("9200 0007 00000000 cafebabe 00000001 00000002 bede0001 10aabbcc 7061796c");
    const auto wire = protected_by(sender, plain);
    EXPECT_TRUE(std::equal(plain.begin(), plain.begin() + 28, wire.begin()));
    EXPECT_NE(hex(Bytes(wire).subspan(28, 4)), "7061796c");
    EXPECT_EQ(read_by(receiver, wire), hex(plain));
    plain[23] = 0xff;  // an extension longer than the packet
    plain.resize(100);
    EXPECT_EQ(sender.protect(plain, 32).error(), Fault::malformed);
}

}  // namespace
}  // namespace strowger::srtp
