#include "wire/srtp/hmac_sha1.hpp"

#include <gtest/gtest.h>

#include "wire/srtp/test_bytes.hpp"

namespace strowger::srtp {
namespace {

TEST(HmacSha1, GivesTheValuesOfRfc2202) {
    EXPECT_EQ(hex(HmacSha1(Buffer(20, 0x0b)).of(as_bytes("Hi There"), {})),
              "b617318655057264e28bc0b6fb378c8ef146be00");
    EXPECT_EQ(hex(HmacSha1(as_bytes("Jefe")).of(as_bytes("what do ya want for nothing?"), {})),
              "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    EXPECT_EQ(hex(HmacSha1(Buffer(20, 0xaa)).of(Buffer(50, 0xdd), {})),
              "125d7342b9ac11cd91a39af48aa17b4f63f175d3");
}

TEST(HmacSha1, OfTwoPartsIsThatOfBothTogether) {
    const HmacSha1 hmac(as_bytes("Jefe"));
    EXPECT_EQ(hex(hmac.of(as_bytes("what do ya want "), as_bytes("for nothing?"))),
              "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

}  // namespace
}  // namespace strowger::srtp
