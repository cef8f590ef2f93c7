#include "wire/srtp/sdes.hpp"

#include <gtest/gtest.h>

#include "wire/srtp/receiver.hpp"
#include "wire/srtp/test_bytes.hpp"

namespace strowger::srtp {
namespace {

// The examples of RFC 4568 sections 6.1 and 10.1.
constexpr std::string_view with_mki =
    "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4 "
    "FEC_ORDER=FEC_SRTP";
constexpr std::string_view two_keys =
    "1 AES_CM_128_HMAC_SHA1_80 inline:YUJDZGVmZ2hpSktMbW9QUXJzVHVWd3l6MTIzNDU2|2^20|1:4;"
    "inline:QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5|2^20|2:4";

std::string error_of(std::string_view value) {
    const auto parsed = parse_crypto(value);
    return parsed ? "none" : parsed.error().text();
}
SdesFault fault_of(std::string_view value) {
    return static_cast<SdesFault>(parse_crypto(value).error().code());
}

/// A line with that suite and that many bytes of key and salt, all of them 0.
std::string line(std::string_view suite, std::size_t bytes, std::string_view more = "") {
    return "1 " + std::string(suite) + " inline:" + to_base64(Buffer(bytes), Padding::omitted) +
           std::string(more);
}

TEST(Sdes, ReadsTheExamplesOfRfc4568) {
    const auto crypto = parse_crypto(with_mki).value();
    EXPECT_EQ(crypto.tag, 1U);
    EXPECT_EQ(crypto.policy.suite, Suite::aes_cm_128_hmac_sha1_80);
    ASSERT_EQ(crypto.keys.size(), 1U);
    EXPECT_EQ(as_text(crypto.keys[0].key.master.key_and_salt()), "wDfvg&T+)xG7@fb5jU,RaA}\\|p0%*#");
    EXPECT_EQ(crypto.keys[0].key.mki, unhex("00000001"));
    EXPECT_EQ(crypto.keys[0].lifetime, 1U << 20);
    EXPECT_EQ(crypto.fec_order, FecOrder::fec_first);

    const auto both = parse_crypto(two_keys).value();
    ASSERT_EQ(both.keys.size(), 2U);
    EXPECT_EQ(both.keys[1].key.mki, unhex("00000002"));
    EXPECT_TRUE(Receiver::make(both.policy, both.identified_keys()));
}

TEST(Sdes, PrintsWhatItReads) {
    for (const auto& value :
         {std::string(with_mki), std::string(two_keys),
          line("AEAD_AES_256_GCM", 44, " UNENCRYPTED_SRTCP"), line("F8_128_HMAC_SHA1_80", 30),
          line("NULL_HMAC_SHA1_32", 30, "|1000"), line("AES_192_CM_HMAC_SHA1_32", 38),
          line("AES_CM_128_HMAC_SHA1_32", 30,
               " UNENCRYPTED_SRTP UNENCRYPTED_SRTCP UNAUTHENTICATED_SRTP FEC_ORDER=SRTP_FEC "
               "WSH=128"),
          line("AES_CM_128_HMAC_SHA1_80", 30, "|1208925819614629174706175:10")}) {
        const auto crypto = parse_crypto(value);
        ASSERT_TRUE(crypto) << value << ": " << crypto.error().text();
        EXPECT_EQ(print(*crypto), value);
    }
}

TEST(Sdes, TakesKeysWithPaddingOrWithout) {
    const std::string bare = line("AES_256_CM_HMAC_SHA1_80", 46);
    EXPECT_EQ(bare.find('='), std::string::npos);
    const auto crypto = parse_crypto(bare).value();
    EXPECT_EQ(print(crypto, Padding::written), bare + "==");
    EXPECT_EQ(parse_crypto(bare + "==").value(), crypto);
    EXPECT_EQ(error_of(bare + "="), "crypto: the key is not base64");
}

TEST(Sdes, ReadsLiberally) {
    const auto crypto = parse_crypto(
        " 7\taes_cm_128_hmac_sha1_80  INLINE:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|1:4 "
        "unencrypted_srtcp  -future=1 FEC_KEY=inline:xyz ");
    ASSERT_TRUE(crypto) << crypto.error().text();
    EXPECT_EQ(crypto->tag, 7U);
    EXPECT_EQ(crypto->keys[0].lifetime, std::nullopt);
    EXPECT_EQ(crypto->keys[0].key.mki, unhex("00000001"));
    EXPECT_FALSE(crypto->policy.encrypt_rtcp);
}

TEST(Sdes, SaysWhatIsMeantForSomebodyElse) {
    EXPECT_EQ(fault_of(line("AES_CM_512_HMAC_SHA9", 30)), SdesFault::unknown_suite);
    EXPECT_EQ(fault_of(line("AES_CM_128_HMAC_SHA1_80", 30, " KDR=4")), SdesFault::unsupported);
    EXPECT_EQ(fault_of(line("AES_CM_128_HMAC_SHA1_80", 30, " FUTURE=1")), SdesFault::unsupported);
    EXPECT_EQ(fault_of("1 AES_CM_128_HMAC_SHA1_80 uri:https://example.com"),
              SdesFault::unsupported);
}

TEST(Sdes, SaysWhatIsWrong) {
    const auto good = [](std::string_view more) {
        return line("AES_CM_128_HMAC_SHA1_80", 30, more);
    };
    EXPECT_EQ(error_of(""), "crypto: '' is not a tag of 1 to 9 digits");
    EXPECT_EQ(error_of("-1 AES_CM_128_HMAC_SHA1_80 inline:"),
              "crypto: '-1' is not a tag of 1 to 9 digits");
    EXPECT_EQ(error_of("1 AES_CM_128_HMAC_SHA1_80"), "crypto: key method of '' is not inline");
    EXPECT_EQ(
        error_of(line("AES_CM_128_HMAC_SHA1_80", 46)),
        "crypto: AES_CM_128_HMAC_SHA1_80 has a key of 16 and a salt of 14 bytes, but 46 came");
    EXPECT_EQ(error_of(good("|2^64")), "crypto: lifetime '2^64' is neither a number nor 2^N");
    EXPECT_EQ(error_of(good("|0")), "crypto: lifetime '0' is neither a number nor 2^N");
    EXPECT_EQ(error_of(good("|256:1")), "crypto: MKI 256 does not fit in 1 bytes");
    EXPECT_EQ(error_of(good("|1:129")),
              "crypto: MKI '1:129' is not VALUE:LENGTH with a length of 1 to 128");
    EXPECT_EQ(error_of(good("|1:4|2^20")), "crypto: the lifetime comes before the MKI");
    EXPECT_EQ(error_of(good("|1:4|1:4")), "crypto: two MKIs of a key");
    EXPECT_EQ(error_of(good("|1:4|1:4|1:4")), "crypto: 4 parts of a key");
    EXPECT_EQ(error_of(good(" WSH=63")), "crypto: WSH=63 is not a number from 64 up");
    EXPECT_EQ(error_of(good(";" + good("").substr(26))),
              "crypto: several keys need MKIs of one length");
    EXPECT_EQ(error_of(line("AEAD_AES_128_GCM", 28, " UNENCRYPTED_SRTP")),
              "crypto: AEAD_AES_128_GCM goes neither with UNENCRYPTED_SRTP nor with "
              "UNAUTHENTICATED_SRTP");
    EXPECT_EQ(error_of(good(std::string(5000, ' '))), "crypto: 5073 bytes, more than 4096");
}

TEST(Sdes, NeverShowsAKeyInAnError) {
    const std::string secret = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSo!";
    EXPECT_EQ(error_of("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret).find(secret),
              std::string::npos);
}

}  // namespace
}  // namespace strowger::srtp
