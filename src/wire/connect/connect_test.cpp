#include <gtest/gtest.h>

#include "wire/connect/code.hpp"
#include "wire/connect/grpc_web.hpp"
#include "wire/connect/gzip.hpp"

namespace strowger::connect {
namespace {

using namespace std::string_literals;

TEST(ConnectCode, NamesAndStatusesAreThoseOfTheProtocol) {
    EXPECT_EQ(name(Code::resource_exhausted), "resource_exhausted");
    EXPECT_EQ(http_status(Code::resource_exhausted), 429);
    EXPECT_EQ(http_status(Code::canceled), 499);
    EXPECT_EQ(http_status(Code::unimplemented), 501);
    EXPECT_EQ(http_status(Code::unauthenticated), 401);
    EXPECT_EQ(static_cast<int>(Code::unauthenticated), 16);
}

TEST(ConnectCode, AnErrorIsJsonWhateverItsText) {
    EXPECT_EQ(error_json(Code::not_found, "no \"x\"\n"),
              R"({"code":"not_found","message":"no \"x\"\n"})");
    EXPECT_EQ(error_json(Code::unknown, "\xff"),
              "{\"code\":\"unknown\",\"message\":\"\xef\xbf\xbd\"}");
}

TEST(GrpcWeb, ARequestIsOneFrame) {
    const auto frame = "\0\0\0\0\3abc"s;
    const auto message = grpc_request(frame);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->bytes, "abc");
    EXPECT_FALSE(message->compressed);
    EXPECT_TRUE(grpc_request("\1\0\0\0\1z"s)->compressed);
    EXPECT_FALSE(grpc_request(""));
    EXPECT_FALSE(grpc_request("\0\0\0\0\4abc"s));
    EXPECT_FALSE(grpc_request("\0\0\0\0\2abc"s));
    EXPECT_FALSE(grpc_request("\x80\0\0\0\0"s));
    EXPECT_FALSE(grpc_request("\0\xff\xff\xff\xff"s));
}

TEST(GrpcWeb, AnAnswerEndsWithItsTrailers) {
    EXPECT_EQ(grpc_answer("ab"), "\0\0\0\0\2ab\x80\0\0\0\x10grpc-status: 0\r\n"s);
}

TEST(GrpcWeb, AFailureIsTrailersAlone) {
    const auto text = "grpc-status: 8\r\ngrpc-message: 100%25%0A\r\n"s;
    EXPECT_EQ(grpc_failure(Code::resource_exhausted, "100%\n"),
              "\x80\0\0\0"s + static_cast<char>(text.size()) + text);
}

TEST(Gzip, WhatIsPackedComesBack) {
    const std::string text(100000, 'x');
    const auto packed = gzip(text);
    EXPECT_LT(packed.size(), 1000u);
    EXPECT_EQ(gunzip(packed, 200000), text);
}

TEST(Gzip, ABombStopsAtTheLimit) {
    const auto packed = gzip(std::string(1 << 20, '\0'));
    EXPECT_FALSE(gunzip(packed, 1 << 19));
    EXPECT_FALSE(gunzip("no gzip", 100));
    EXPECT_FALSE(gunzip(std::string_view(packed).substr(0, packed.size() - 9), 2 << 20));
}

}  // namespace
}  // namespace strowger::connect
