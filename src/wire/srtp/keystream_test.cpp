#include "wire/srtp/keystream.hpp"

#include <gtest/gtest.h>

#include "wire/srtp/test_bytes.hpp"

namespace strowger::srtp {
namespace {

// RFC 3711 B.2 and RFC 6188 sections 7.1 and 7.3 print the first and the last three of the blocks
// 0 to 0xff01 under a salt of f0 to fd.
constexpr std::size_t printed_blocks = 0xff02;
constexpr std::string_view printed_salt = "f0f1f2f3f4f5f6f7f8f9fafbfcfd";

Buffer counter_stream(std::string_view key) {
    Keystream stream(Cipher::aes_cm, unhex(key), unhex(printed_salt));
    Buffer data(printed_blocks * 16);
    EXPECT_TRUE(stream.apply_rtp(Buffer(12), 0, data));  // SSRC 0, index 0: the IV is the salt
    return data;
}

TEST(Keystream, IsTheOneOfRfc3711B2) {
    const auto data = counter_stream("2B7E151628AED2A6ABF7158809CF4F3C");
    EXPECT_EQ(hex(Bytes(data).first(48)),
              "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab"
              "41e95b3bb0a2e8dd477901e4fca894c0");
    EXPECT_EQ(hex(Bytes(data).last(48)),
              "ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae"
              "6a2cc3787889374fbeb4c81b17ba6c44");
}

TEST(Keystream, IsTheOneOfRfc6188Section7Point1) {
    const auto data =
        counter_stream("57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98");
    EXPECT_EQ(hex(Bytes(data).first(48)),
              "92bdd28a93c3f52511c677d08b5515a49da71b2378a854f67050756ded165bac"
              "63c4868b7096d88421b563b8c94c9a31");
    EXPECT_EQ(hex(Bytes(data).last(48)),
              "cea518c90fd91ced9cbb18c078a547113dbc4814f4da5f00a08772b63c6a046d"
              "6eb246913062a16891433e97dd01a57f");
}

TEST(Keystream, IsTheOneOfRfc6188Section7Point3) {
    const auto data = counter_stream("eab234764e517b2d3d160d587d8c86219740f65f99b6bcf7");
    EXPECT_EQ(hex(Bytes(data).first(48)),
              "35096cba4610028dc1b57503804ce37c5de986291dcce161d5165ec4568f5c9a"
              "474a40c77894bc17180202272a4c264d");
    EXPECT_EQ(hex(Bytes(data).last(48)),
              "d108d1a31a00bad6367ec23eb044b415c8f57129fdeb970b59f917b257662d4c"
              "a5dab625811034e8cebdfeb6dc158dd3");
}

TEST(Keystream, TakesTheCounterFromSsrcAndIndex) {
    // The IV of section 4.1.1, put together by hand, must give what SSRC and index give.
    Keystream stream(Cipher::aes_cm, unhex("2B7E151628AED2A6ABF7158809CF4F3C"),
                     unhex(printed_salt));
    Buffer by_index(32), by_iv(32);
    const auto header = unhex("80000123 00000000 deadbeef");
    ASSERT_TRUE(stream.apply_rtp(header, 0x000500000123, by_index));
    Keystream::Iv iv;  // f4f5f6f7 XOR deadbeef, then f8f9fafbfcfd XOR 000500000123
    std::ranges::copy(unhex("f0f1f2f3 2a584818 f8fcfafb fdde0000"), iv.begin());
    ASSERT_TRUE(stream.apply(iv, by_iv));
    EXPECT_EQ(hex(by_index), hex(by_iv));
}

TEST(Keystream, InF8ModeMakesThePacketOfRfc3711B1) {
    Keystream stream(Cipher::aes_f8, unhex("234829008467be186c3de14aae72d62c"), unhex("32f2870d"));
    auto packet = unhex(
        "806e5cba50681de55c621599"
        "70736575646f72616e646f6d6e657373 20697320746865206e65787420626573 74207468696e67");
    const std::uint64_t index = std::uint64_t{0xd462564a} << 16 | 0x5cba;
    const auto header = MutableBytes(packet).first(12);
    ASSERT_TRUE(stream.apply_rtp(header, index, MutableBytes(packet).subspan(12)));
    EXPECT_EQ(hex(packet),
              "806e5cba50681de55c621599"
              "019ce7a26e7854014a6366aa95d4eefd1ad4172a14f9faf455b7f1d4b62bd08f562c0eef7c4802");
}

TEST(Keystream, OfTheNullCipherChangesNothing) {
    Keystream stream(Cipher::null, Buffer(16), Buffer(14));
    auto text = unhex("0102030405");
    EXPECT_TRUE(stream.apply_rtp(Buffer(12), 7, text));
    EXPECT_EQ(hex(text), "0102030405");
}

}  // namespace
}  // namespace strowger::srtp
