#include "wire/rtp/packet.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace strowger::rtp {
namespace {

std::vector<std::uint8_t> voice() {
    return {0x80, 0x88, 0x12, 0x34, 0, 0, 0, 0xa0, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4};
}

TEST(RtpPacket, ReadsTheFixedHeader) {
    const auto bytes = voice();
    const auto packet = Packet::parse(bytes);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->header(), (Header{true, 8, 0x1234, 160, 0xdeadbeef}));
    EXPECT_EQ(packet->payload().size(), 4U);
}

TEST(RtpPacket, ReadsContributorsExtensionAndPadding) {
    const std::vector<std::uint8_t> bytes{0xb1, 0,    0, 1, 0, 0,    0,    2, 0, 0,    0,
                                          3,    0,    0, 0, 9, 0xbe, 0xde, 0, 2, 0x10, 0x55,
                                          0,    0x21, 6, 7, 0, 0,    0xaa, 0, 0, 3};
    const auto packet = Packet::parse(bytes);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->csrc_count(), 1U);
    EXPECT_EQ(packet->csrc(0), 9U);
    EXPECT_EQ(packet->extension_profile(), 0xbede);
    EXPECT_EQ(packet->extension_element(1)->front(), 0x55);
    EXPECT_EQ(packet->extension_element(2)->back(), 7);
    EXPECT_FALSE(packet->extension_element(3));
    EXPECT_EQ(packet->padding(), 3U);
    ASSERT_EQ(packet->payload().size(), 1U);
    EXPECT_EQ(packet->payload()[0], 0xaa);
}

TEST(RtpPacket, NamesEveryFault) {
    const auto fault = [](std::vector<std::uint8_t> bytes) { return Packet::parse(bytes).error(); };
    auto bytes = voice();
    bytes.resize(11);
    EXPECT_EQ(fault(bytes), Fault::too_short);
    bytes = voice();
    bytes[0] = 0x40;
    EXPECT_EQ(fault(bytes), Fault::not_version_2);
    bytes[0] = 0x82;
    EXPECT_EQ(fault(bytes), Fault::csrc_overrun);
    bytes[0] = 0x90;
    EXPECT_EQ(fault(bytes), Fault::extension_overrun);
    bytes[0] = 0xa0;
    bytes.back() = 5;
    EXPECT_EQ(fault(bytes), Fault::bad_padding);
    bytes.back() = 0;
    EXPECT_EQ(fault(bytes), Fault::bad_padding);
    bytes.back() = 4;
    EXPECT_TRUE(Packet::parse(bytes));
}

TEST(RtpPacket, IsWrittenAsItIsRead) {
    const auto bytes = voice();
    std::vector<std::uint8_t> out(bytes.size());
    const auto packet = Packet::parse(bytes);
    EXPECT_EQ(write(packet->header(), packet->payload(), out), bytes.size());
    EXPECT_EQ(out, bytes);
    out.pop_back();
    EXPECT_EQ(write(packet->header(), packet->payload(), out), 0U);
}

TEST(RtpPacket, IsToldFromWhatSharesThePort) {
    const auto kind = [](std::uint8_t a, std::uint8_t b) {
        const std::uint8_t bytes[] = {a, b};
        return kind_of(bytes);
    };
    EXPECT_EQ(kind(0, 1), Kind::stun);
    EXPECT_EQ(kind(22, 0), Kind::dtls);
    EXPECT_EQ(kind(0x80, 0), Kind::rtp);
    EXPECT_EQ(kind(0x80, 0x80 | 111), Kind::rtp);
    EXPECT_EQ(kind(0x81, 200), Kind::rtcp);
    EXPECT_EQ(kind(0x81, 207), Kind::rtcp);
    EXPECT_EQ(kind(0xc0, 0), Kind::unknown);
}

}  // namespace
}  // namespace strowger::rtp
