#include <gtest/gtest.h>

#include "wire/stun/builder.hpp"
#include "wire/stun/test_bytes.hpp"

namespace strowger::stun {
namespace {

constexpr std::string_view password = "VOkJxbRl1RmTxUk/WvJxBt";
const TransactionId transaction{
    {0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae}};
const TransactionId long_term_transaction{
    {0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72, 0xc0, 0x29, 0xda, 0x41, 0x2e}};
constexpr std::string_view matrix = "\u30de\u30c8\u30ea\u30c3\u30af\u30b9";

// RFC 5769 section 2.1
const auto sample_request =
    hex("00010058 2112a442 b7e7a701bc34d686fa87dfae 80220010 5354554e207465737420636c69656e74"
        "00240004 6e0001ff 80290008 932ff9b151263b36 00060009 6576746a3a68367659202020"
        "00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004 e57a3bcf");
// section 2.2
const auto sample_v4 =
    hex("0101003c 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220"
        "00200008 0001a147e112a643 00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7"
        "80280004 c07d4c96");
// section 2.3
const auto sample_v6 =
    hex("01010048 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f7220"
        "00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
        "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41 80280004 c8fb0b4c");
// section 2.4
const auto sample_long_term =
    hex("00010060 2112a442 78ad3433c6ad72c029da412e"
        "00060012 e3839ee38388e383aae38383e382afe382b90000"
        "0015001c 662f2f3439396b39353464364f4c33346f4c39465354767936347341"
        "0014000b 6578616d706c652e6f726700"
        "00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666");
// RFC 8489 appendix B.1, with the fourth attribute that erratum 6268 adds
const auto sample_sha256 =
    hex("00010090 2112a442 78ad3433c6ad72c029da412e"
        "001e0020 4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"
        "00150029 6f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c394653547679363473"
        "41000000"
        "0014000b 6578616d706c652e6f726700 001d0004 00020000"
        "001c0020 b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65");

TEST(StunVectors, TheSampleRequestIsReadAsItWasWritten) {
    const auto message = Message::parse(sample_request);
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->is(Class::request, Method::binding));
    EXPECT_EQ(message->transaction(), transaction);
    EXPECT_EQ(message->text(AttributeType::software), "STUN test client");
    EXPECT_EQ(message->priority(), 0x6e0001ffu);
    EXPECT_EQ(message->long_number(AttributeType::ice_controlled), 0x932ff9b151263b36u);
    EXPECT_EQ(message->username(), "evtj:h6vY");
    EXPECT_TRUE(message->has_fingerprint());
    EXPECT_EQ(IntegrityKey::short_term(password).verifies(*message), Integrity::sha1);
    EXPECT_EQ(IntegrityKey::short_term("another").verifies(*message), Integrity::none);
}

TEST(StunVectors, TheSampleRequestIsWrittenByteForByte) {
    std::array<std::uint8_t, 200> buffer;
    const Bytes written = Builder(buffer, Class::request, Method::binding, transaction, 0x20)
                              .text(AttributeType::software, "STUN test client")
                              .number(AttributeType::priority, 0x6e0001ff)
                              .long_number(AttributeType::ice_controlled, 0x932ff9b151263b36)
                              .text(AttributeType::username, "evtj:h6vY")
                              .integrity(IntegrityKey::short_term(password))
                              .fingerprint()
                              .finish();
    EXPECT_EQ(std::vector(written.begin(), written.end()), sample_request);
}

void expect_response(const std::vector<std::uint8_t>& sample, std::string_view address) {
    const auto message = Message::parse(sample);
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->is(Class::success, Method::binding));
    EXPECT_EQ(message->text(AttributeType::software), "test vector");
    EXPECT_EQ(message->mapped_address(), SocketAddress::parse(address));
    const auto key = IntegrityKey::short_term(password);
    EXPECT_EQ(key.verifies(*message), Integrity::sha1);

    std::array<std::uint8_t, 200> buffer;
    const Bytes written =
        Builder(buffer, Class::success, Method::binding, transaction, 0x20)
            .text(AttributeType::software, "test vector")
            .xor_address(AttributeType::xor_mapped_address, *SocketAddress::parse(address))
            .integrity(key)
            .fingerprint()
            .finish();
    EXPECT_EQ(std::vector(written.begin(), written.end()), sample);
}

TEST(StunVectors, TheSampleIPv4Response) { expect_response(sample_v4, "192.0.2.1:32853"); }

TEST(StunVectors, TheSampleIPv6Response) {
    expect_response(sample_v6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}

TEST(StunVectors, TheSampleRequestWithLongTermAuthentication) {
    // The password is already prepared, from "The<U+00AD>M<U+00AA>tr<U+2168>".
    const auto key = IntegrityKey::long_term_md5(matrix, "example.org", "TheMatrIX");
    std::array<std::uint8_t, 200> buffer;
    const Bytes written = Builder(buffer, Class::request, Method::binding, long_term_transaction)
                              .text(AttributeType::username, matrix)
                              .text(AttributeType::nonce, "f//499k954d6OL34oL9FSTvy64sA")
                              .text(AttributeType::realm, "example.org")
                              .integrity(key)
                              .finish();
    EXPECT_EQ(std::vector(written.begin(), written.end()), sample_long_term);
    const auto message = Message::parse(written);
    ASSERT_TRUE(message);
    EXPECT_FALSE(message->has_fingerprint());
    EXPECT_EQ(key.verifies(*message), Integrity::sha1);
}

TEST(StunVectors, TheSampleRequestWithSha256AndUserhash) {
    const auto key = IntegrityKey::long_term_sha256(matrix, "example.org", "TheMatrIX");
    const auto message = Message::parse(sample_sha256);
    ASSERT_TRUE(message);
    EXPECT_EQ(key.verifies(*message), Integrity::sha256);
    EXPECT_EQ(message->text(AttributeType::realm), "example.org");

    std::array<std::uint8_t, 200> buffer;
    const Bytes written =
        Builder(buffer, Class::request, Method::binding, long_term_transaction)
            .attribute(AttributeType::userhash, *message->find(AttributeType::userhash))
            .text(AttributeType::nonce, "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA")
            .text(AttributeType::realm, "example.org")
            .number(AttributeType::password_algorithm, 0x00020000)
            .integrity(key, Integrity::sha256)
            .finish();
    EXPECT_EQ(std::vector(written.begin(), written.end()), sample_sha256);
}

}  // namespace
}  // namespace strowger::stun
