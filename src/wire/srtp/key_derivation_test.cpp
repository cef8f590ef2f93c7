#include "wire/srtp/key_derivation.hpp"

#include <gtest/gtest.h>

#include "wire/srtp/test_bytes.hpp"

namespace strowger::srtp {
namespace {

MasterKey master(Suite suite, std::string_view key, std::string_view salt) {
    Buffer bytes = unhex(key);
    for (const auto byte : unhex(salt)) bytes.push_back(byte);
    return MasterKey::from(suite, bytes).value();
}

TEST(KeyDerivation, GivesTheKeysOfRfc3711B3) {
    const auto keys =
        derive(Suite::aes_cm_128_hmac_sha1_80,
               master(Suite::aes_cm_128_hmac_sha1_80, "E1F97A0D3E018BE0D64FA32C06DE4139",
                      "0EC675AD498AFEEBB6960B3AABE6"),
               PacketKind::rtp);
    EXPECT_EQ(hex(keys.cipher_key()), "c61e7a93744f39ee10734afe3ff7a087");
    EXPECT_EQ(hex(keys.cipher_salt()), "30cbbc08863d8c85d49db34a9ae1");
    EXPECT_EQ(hex(keys.authentication), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
}

TEST(KeyDerivation, GivesTheWholeAuthenticationKeyOfRfc3711B3) {
    Buffer key(94);
    derive(1, unhex("E1F97A0D3E018BE0D64FA32C06DE4139"), unhex("0EC675AD498AFEEBB6960B3AABE6"),
           key);
    EXPECT_EQ(hex(key),
              "cebe321f6ff7716b6fd4ab49af256a156d38baa48f0a0acf3c34e2359e6cdbce"
              "e049646c43d9327ad175578ef72270986371c10c9a369ac2f94a8c5fbcdddc25"
              "6d6e919a48b610ef17c2041e474035766b68642c59bbfc2f34db60dbdfb2");
}

TEST(KeyDerivation, GivesTheKeysOfRfc6188Section7Point2) {
    const auto keys =
        derive(Suite::aes_256_cm_hmac_sha1_80,
               master(Suite::aes_256_cm_hmac_sha1_80,
                      "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6",
                      "3b04803de51ee7c96423ab5b78d2"),
               PacketKind::rtp);
    EXPECT_EQ(hex(keys.cipher_key()),
              "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4");
    EXPECT_EQ(hex(keys.cipher_salt()), "fa31791685ca444a9e07c6c64e93");
    EXPECT_EQ(hex(keys.authentication), "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05");
}

TEST(KeyDerivation, GivesTheKeysOfRfc6188Section7Point4) {
    const auto keys = derive(
        Suite::aes_192_cm_hmac_sha1_80,
        master(Suite::aes_192_cm_hmac_sha1_80, "73edc66c4fa15776fb57f9505c17136550ffda71f3e8e5f1",
               "c8522f3acd4ce86d5add78edbb11"),
        PacketKind::rtp);
    EXPECT_EQ(hex(keys.cipher_key()), "31874736a8f1143870c26e4857d8a5b2c4a354407faadabb");
    EXPECT_EQ(hex(keys.cipher_salt()), "2372b82d639b6d8503a47adc0a6c");
    EXPECT_EQ(hex(keys.authentication), "355b10973cd95b9eacf4061c7e1a7151e7cfbfcb");
}

TEST(KeyDerivation, GivesRtcpOtherKeysThanRtp) {
    const auto key = MasterKey::random(Suite::aead_aes_128_gcm);
    const auto rtp = derive(Suite::aead_aes_128_gcm, key, PacketKind::rtp);
    const auto rtcp = derive(Suite::aead_aes_128_gcm, key, PacketKind::rtcp);
    EXPECT_NE(hex(rtp.cipher_key()), hex(rtcp.cipher_key()));
    EXPECT_NE(hex(rtp.cipher_salt()), hex(rtcp.cipher_salt()));
}

TEST(MasterKey, HasTheSizeOfItsSuite) {
    EXPECT_TRUE(MasterKey::from(Suite::aes_cm_128_hmac_sha1_80, Buffer(30)));
    EXPECT_TRUE(MasterKey::from(Suite::aead_aes_256_gcm, Buffer(44)));
    const auto wrong = MasterKey::from(Suite::aes_cm_128_hmac_sha1_80, Buffer(46));
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().text(),
              "AES_CM_128_HMAC_SHA1_80 has a key of 16 and a salt of 14 bytes, but 46 came");
}

TEST(MasterKey, IsAnotherOneEachTime) {
    const auto suite = Suite::aes_256_cm_hmac_sha1_80;
    EXPECT_NE(MasterKey::random(suite), MasterKey::random(suite));
    EXPECT_EQ(MasterKey::random(suite).key_and_salt().size(), 46U);
}

TEST(Suite, IsKnownByItsNameInAnyCaseAndByItsProfile) {
    EXPECT_EQ(suite_named("AES_CM_128_HMAC_SHA1_32"), Suite::aes_cm_128_hmac_sha1_32);
    EXPECT_EQ(suite_named("aead_aes_256_gcm"), Suite::aead_aes_256_gcm);
    EXPECT_EQ(suite_named("AES_CM_256_HMAC_SHA1_80"), Suite::aes_256_cm_hmac_sha1_80);
    EXPECT_EQ(suite_named("AES_CM_128_HMAC_SHA1_8"), std::nullopt);
    EXPECT_EQ(suite_of_dtls_profile(7), Suite::aead_aes_128_gcm);
    EXPECT_EQ(suite_of_dtls_profile(1), Suite::aes_cm_128_hmac_sha1_80);
    EXPECT_EQ(suite_of_dtls_profile(0), std::nullopt);
}

}  // namespace
}  // namespace strowger::srtp
