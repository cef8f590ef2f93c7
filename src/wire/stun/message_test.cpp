#include "wire/stun/message.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "wire/stun/builder.hpp"
#include "wire/stun/fingerprint.hpp"
#include "wire/stun/test_bytes.hpp"

namespace strowger::stun {
namespace {

const TransactionId id{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
const IntegrityKey key = IntegrityKey::short_term("a password of ours here");

struct Written {
    std::array<std::uint8_t, 512> buffer;
    Builder out;
    explicit Written(Class c = Class::request) : out(buffer, c, Method::binding, id) {}
    std::vector<std::uint8_t> bytes() const {
        const Bytes b = out.finish();
        return {b.begin(), b.end()};
    }
};

Fault fault_of(Bytes bytes) {
    const auto message = Message::parse(bytes);
    EXPECT_FALSE(message);
    return message ? Fault::too_short : message.error();
}

TEST(StunMessage, ClassAndMethodShareTheirBitsAsInSectionFive) {
    constexpr std::array<std::pair<Class, std::uint16_t>, 4> of_binding{
        {{Class::request, 0x0001},
         {Class::indication, 0x0011},
         {Class::success, 0x0101},
         {Class::error, 0x0111}}};
    std::array<std::uint8_t, 20> buffer;
    for (const auto& [c, type] : of_binding) {
        const Bytes bytes = Builder(buffer, c, Method::binding, id).finish();
        EXPECT_EQ(load16(bytes, 0), type);
        EXPECT_TRUE(Message::parse(bytes)->is(c, Method::binding));
    }
    for (const unsigned method : {0x001u, 0x00fu, 0x010u, 0x07fu, 0x080u, 0x0ffu}) {
        const Bytes bytes = Builder(buffer, Class::error, static_cast<Method>(method), id).finish();
        EXPECT_TRUE(Message::parse(bytes)->is(Class::error, static_cast<Method>(method)));
    }
}

TEST(StunMessage, WhatIsNoStunIsToldApartByItsHeader) {
    auto bytes = Written().bytes();
    EXPECT_TRUE(looks_like_stun(bytes));
    EXPECT_EQ(fault_of(Bytes(bytes).first(19)), Fault::too_short);
    EXPECT_FALSE(looks_like_stun(Bytes(bytes).first(19)));
    auto rtp = bytes;
    rtp[0] = 0x80;
    EXPECT_EQ(fault_of(rtp), Fault::not_stun);
    EXPECT_FALSE(looks_like_stun(rtp));
    auto old = bytes;
    old[4] = 0;
    EXPECT_EQ(fault_of(old), Fault::bad_cookie);
    EXPECT_FALSE(looks_like_stun(old));
}

TEST(StunMessage, TheLengthMustBeThatOfTheDatagramAndAMultipleOfFour) {
    auto bytes = Written().bytes();
    bytes[3] = 4;
    EXPECT_EQ(fault_of(bytes), Fault::bad_length);
    bytes.push_back(0);
    bytes[3] = 1;
    EXPECT_EQ(fault_of(bytes), Fault::bad_length);
}

TEST(StunMessage, AnAttributeThatReachesBeyondTheEndIsRefused) {
    Written w;
    w.out.text(AttributeType::username, "abc");
    auto bytes = w.bytes();
    ASSERT_EQ(bytes.size(), 28u);
    bytes[23] = 5;  // its padding would need four bytes more
    EXPECT_EQ(fault_of(bytes), Fault::attribute_overrun);
    bytes[22] = 0xff;
    EXPECT_EQ(fault_of(bytes), Fault::attribute_overrun);
}

TEST(StunMessage, ABoundOnTheNumberOfAttributesHolds) {
    Written w;
    for (std::size_t i = 0; i < Message::max_attributes; ++i) w.out.flag(AttributeType::icmp);
    EXPECT_TRUE(Message::parse(w.bytes()));
    w.out.flag(AttributeType::icmp);
    EXPECT_EQ(fault_of(w.bytes()), Fault::too_many_attributes);
}

TEST(StunMessage, AFingerprintMustBeRightAndLast) {
    Written w;
    w.out.text(AttributeType::username, "a:b").fingerprint();
    auto bytes = w.bytes();
    EXPECT_TRUE(Message::parse(bytes)->has_fingerprint());
    bytes[25] ^= 1;
    EXPECT_EQ(fault_of(bytes), Fault::bad_fingerprint);
    w.out.flag(AttributeType::use_candidate);
    EXPECT_EQ(fault_of(w.bytes()), Fault::bad_fingerprint);
}

TEST(StunMessage, WhatFollowsTheIntegrityIsNotSeen) {
    Written w;
    w.out.text(AttributeType::username, "a:b").integrity(key).flag(AttributeType::use_candidate);
    const auto bytes = w.bytes();
    const auto message = Message::parse(bytes);
    ASSERT_TRUE(message);
    EXPECT_FALSE(message->use_candidate());
    EXPECT_EQ(message->username(), "a:b");
}

TEST(StunMessage, EveryChangedBitBreaksTheIntegrity) {
    Written w;
    w.out.text(AttributeType::username, "a:b").number(AttributeType::priority, 7).integrity(key);
    const auto bytes = w.bytes();
    ASSERT_EQ(key.verifies(*Message::parse(bytes)), Integrity::sha1);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        auto changed = bytes;
        changed[at] ^= 0x01;
        const auto message = Message::parse(changed);
        const auto kind = message ? key.verifies(*message) : Integrity::none;
        EXPECT_EQ(kind, Integrity::none) << "byte " << at;
    }
}

TEST(StunMessage, OfTwoIntegritiesTheStrongerDecides) {
    Written w;
    w.out.integrity(key).integrity(key, Integrity::sha256).fingerprint();
    auto bytes = w.bytes();
    EXPECT_EQ(key.verifies(*Message::parse(bytes)), Integrity::sha256);

    Written forged;
    forged.out.integrity(key).integrity(IntegrityKey::short_term("x"), Integrity::sha256);
    bytes = forged.bytes();
    EXPECT_EQ(key.verifies(*Message::parse(bytes)), Integrity::none);
}

TEST(StunMessage, ASha256IntegrityMayBeCutToSixteenBytesAndNotBelow) {
    for (const std::size_t size : {12u, 16u, 18u, 20u, 32u, 36u}) {
        std::array<std::uint8_t, 200> buffer;
        Builder out(buffer, Class::request, Method::binding, id);
        const Bytes before = out.finish();
        auto digest = key.sha256(before, static_cast<std::uint16_t>(4 + Attribute::padded(size)));
        std::vector<std::uint8_t> value(size);
        std::copy_n(digest.begin(), std::min(size, digest.size()), value.begin());
        const auto message =
            Message::parse(out.attribute(AttributeType::message_integrity_sha256, value).finish());
        ASSERT_TRUE(message);
        const bool right = size == 16 || size == 20 || size == 32;
        EXPECT_EQ(key.verifies(*message), right ? Integrity::sha256 : Integrity::none) << size;
    }
}

TEST(StunMessage, UnknownAttributesThatMustBeUnderstoodAreListed) {
    Written w;
    w.out.attribute(static_cast<AttributeType>(0x7001), {})
        .attribute(static_cast<AttributeType>(0xc057), {})
        .flag(AttributeType::use_candidate)
        .attribute(static_cast<AttributeType>(0x0003), {});
    const auto bytes = w.bytes();
    std::array<AttributeType, 4> unknown;
    ASSERT_EQ(Message::parse(bytes)->unknown_required(unknown), 2u);
    EXPECT_EQ(static_cast<std::uint16_t>(unknown[0]), 0x7001);
    EXPECT_EQ(static_cast<std::uint16_t>(unknown[1]), 0x0003);
}

TEST(StunMessage, AnErrorHasItsCodeAndReason) {
    Written w(Class::error);
    w.out.error(487, "Role Conflict");
    const auto bytes = w.bytes();
    const auto error = Message::parse(bytes)->error();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, 487);
    EXPECT_EQ(error->reason, "Role Conflict");
}

TEST(StunMessage, AddressesOfOddSizeOrFamilyAreNone) {
    for (const auto& value : {hex("0001"), hex("00030050 c0000201"), hex("00010050 c00002"),
                              hex("00020050 c0000201"), hex("00010050 c000020100")}) {
        Written w(Class::success);
        w.out.attribute(AttributeType::mapped_address, value);
        const auto bytes = w.bytes();
        EXPECT_FALSE(Message::parse(bytes)->mapped_address());
    }
}

TEST(StunMessage, ThePlainMappedAddressOfOldServersIsTaken) {
    const auto address = *SocketAddress::parse("192.0.2.1:80");
    Written w(Class::success);
    w.out.plain_address(AttributeType::mapped_address, address);
    const auto bytes = w.bytes();
    EXPECT_EQ(Message::parse(bytes)->mapped_address(), address);
}

TEST(StunBuilder, WhatDoesNotFitLeavesNothing) {
    std::array<std::uint8_t, 47> buffer;
    Builder out(buffer, Class::request, Method::binding, id);
    out.integrity(key);  // 20 + 24 fit
    EXPECT_EQ(out.finish().size(), 44u);
    out.fingerprint();
    EXPECT_TRUE(out.finish().empty());
    EXPECT_TRUE(Builder(MutableBytes(buffer).first(19), Class::request, Method::binding, id)
                    .integrity(key)
                    .finish()
                    .empty());
}

TEST(StunFingerprint, IsTheCrcThatEverybodyChecksWith) {
    EXPECT_EQ(crc32(as_bytes("123456789")), 0xcbf43926u);
    EXPECT_EQ(crc32({}), 0u);
}

// RFC 2104 section 3.
TEST(StunIntegrity, AKeyLongerThanABlockStandsForItsHash) {
    const std::string long_key(80, '\xaa');
    std::array<std::uint8_t, 20> digest;
    EVP_Digest(long_key.data(), long_key.size(), digest.data(), nullptr, EVP_sha1(), nullptr);
    Written w;
    const Bytes before = w.out.finish();
    EXPECT_EQ(IntegrityKey(as_bytes(long_key)).sha1(before, 24),
              IntegrityKey(digest).sha1(before, 24));
}

}  // namespace
}  // namespace strowger::stun
