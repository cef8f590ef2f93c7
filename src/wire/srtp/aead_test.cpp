#include "wire/srtp/aead.hpp"

#include <gtest/gtest.h>

#include "wire/srtp/test_bytes.hpp"

namespace strowger::srtp {
namespace {

// The keys, salt and packets of RFC 7714 sections 16 and 17.
constexpr std::string_view key_128 = "000102030405060708090a0b0c0d0e0f";
constexpr std::string_view key_256 =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
constexpr std::string_view salt = "51756964 2070726f 2071756f";
constexpr std::string_view rtp =
    "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070"
    "61727465 73207472 6573";
constexpr std::string_view rtcp =
    "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef"
    "deadbeef deadbeef deadbeef";
constexpr std::uint32_t rtcp_index = 0x5d4;

std::string sealed_rtp(std::string_view key) {
    Aead aead(unhex(key), unhex(salt), true);
    auto packet = unhex(rtp);
    const auto size = packet.size();
    packet.resize(size + Aead::tag_size);
    const MutableBytes all(packet);
    EXPECT_TRUE(aead.seal(aead.rtp_nonce(0x5501a0b2, 0xf17b), all.first(12), {},
                          all.subspan(12, size - 12), all.subspan(size)));
    return hex(packet);
}

std::string sealed_rtcp(std::string_view key) {
    Aead aead(unhex(key), unhex(salt), true);
    auto packet = unhex(rtcp);
    const auto size = packet.size();
    packet.resize(size + Aead::tag_size);
    const MutableBytes all(packet);
    const auto word = unhex("800005d4");
    EXPECT_TRUE(aead.seal(aead.rtcp_nonce(0x4d617273, rtcp_index), all.first(8), word,
                          all.subspan(8, size - 8), all.subspan(size)));
    return hex(packet) + hex(word);
}

TEST(Aead, MakesTheNoncesOfRfc7714) {
    const Aead aead(unhex(key_128), unhex(salt), true);
    EXPECT_EQ(hex(aead.rtp_nonce(0x5501a0b2, 0xf17b)), "51753c6580c2726f20718414");
    EXPECT_EQ(hex(aead.rtcp_nonce(0x4d617273, rtcp_index)), "517524055203726f207170bb");
}

TEST(Aead, MakesThePacketsOfRfc7714Section16) {
    EXPECT_EQ(sealed_rtp(key_128),
              hex(unhex("8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5"
                        "0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439"
                        "0cce")));
    EXPECT_EQ(sealed_rtp(key_256),
              hex(unhex("8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238"
                        "9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7"
                        "6c13")));
}

TEST(Aead, MakesThePacketsOfRfc7714Section17) {
    EXPECT_EQ(sealed_rtcp(key_128),
              hex(unhex("81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d"
                        "c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872"
                        "45d9eade 800005d4")));
    EXPECT_EQ(sealed_rtcp(key_256),
              hex(unhex("81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50"
                        "a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c"
                        "b26ac3be 800005d4")));
}

TEST(Aead, OpensWhatIsAuthenticAndNothingElse) {
    Aead aead(unhex(key_128), unhex(salt), false);
    const auto sealed = unhex(sealed_rtp(key_128));
    const auto open = [&](Buffer packet) {
        const MutableBytes all(packet);
        const bool opened = aead.open(aead.rtp_nonce(0x5501a0b2, 0xf17b), all.first(12), {},
                                      all.subspan(12, all.size() - 28), all.last(Aead::tag_size));
        return opened ? hex(all.first(all.size() - 16)) : "not authentic";
    };
    EXPECT_EQ(open(sealed), hex(unhex(rtp)));
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        auto broken = sealed;
        broken[i] ^= 0x10;
        EXPECT_EQ(open(broken), "not authentic") << i;
    }
    EXPECT_EQ(open(sealed), hex(unhex(rtp)));  // a failure leaves the context usable
}

}  // namespace
}  // namespace strowger::srtp
