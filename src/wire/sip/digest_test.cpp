#include "wire/sip/digest.hpp"

#include <gtest/gtest.h>

#include "wire/sip/auth.hpp"

namespace strowger::sip {
namespace {

Credentials credentials_of(const std::string& text) {
    const auto credentials = Credentials::parse(text);
    EXPECT_TRUE(credentials) << credentials.error().text();
    return credentials ? *credentials : Credentials{};
}

std::string response(const std::string& header, std::string_view method, std::string_view password,
                     std::string_view body = {}) {
    const auto result =
        response_of(credentials_of(header), method, Secret::password(password), body);
    return result ? std::string(*result) : "none";
}

TEST(Digest, AnswersTheExampleOfRfc2617) {
    EXPECT_EQ(response(R"(Digest username="Mufasa",
                 realm="testrealm@host.com",
                 nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
                 uri="/dir/index.html",
                 qop=auth,
                 nc=00000001,
                 cnonce="0a4f113b",
                 response="6629fae49393a05397450978507c4ef1",
                 opaque="5ccc069c403ebaf9f0171e9517f40e41")",
                       "GET", "Circle Of Life"),
              "6629fae49393a05397450978507c4ef1");
}

std::string rfc7616(std::string_view algorithm) {
    return fmt::format(R"(Digest username="Mufasa", realm="http-auth@example.org",
       uri="/dir/index.html", algorithm={},
       nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,
       cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="",
       opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS")",
                       algorithm);
}

TEST(Digest, AnswersTheExamplesOfRfc7616) {
    EXPECT_EQ(response(rfc7616("MD5"), "GET", "Circle of Life"),
              "8ca523f5e9506fed4657c9700eebdbec");
    EXPECT_EQ(response(rfc7616("SHA-256"), "GET", "Circle of Life"),
              "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

TEST(Digest, HashesAsTheStandardsDo) {  // FIPS 180-4 and RFC 1321 examples for "abc"
    EXPECT_EQ(std::string_view(digest_of(Algorithm::md5, {"abc"})),
              "900150983cd24fb0d6963f7d28e17f72");
    EXPECT_EQ(std::string_view(digest_of(Algorithm::sha256, {"abc"})),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(std::string_view(digest_of(Algorithm::sha512_256, {"abc"})),
              "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23");
}

TEST(Digest, TakesAStoredHashForThePassword) {
    const auto header = rfc7616("MD5");
    const auto ha1 = ha1_of(Algorithm::md5, "Mufasa", "http-auth@example.org", "Circle of Life");
    EXPECT_EQ(std::string_view(*response_of(credentials_of(header), "GET", Secret::ha1(ha1))),
              "8ca523f5e9506fed4657c9700eebdbec");
}

TEST(Digest, SessionVariantsHashNonceAndCnonceIn) {
    const auto ha1 = ha1_of(Algorithm::md5, "u", "r", "p");
    const auto session = digest_of(Algorithm::md5, {ha1, "n", "c"});
    const auto ha2 = digest_of(Algorithm::md5, {"REGISTER", "sip:r"});
    const auto expected = digest_of(Algorithm::md5, {session, "n", "00000001", "c", "auth", ha2});
    EXPECT_EQ(response(R"(Digest username="u", realm="r", nonce="n", uri="sip:r", cnonce="c",
                       nc=00000001, qop=auth, algorithm=MD5-sess, response="")",
                       "REGISTER", "p"),
              std::string_view(expected));
}

TEST(Digest, AuthIntCoversTheBody) {
    const std::string header = R"(Digest username="u", realm="r", nonce="n", uri="sip:r",
                       cnonce="c", nc=00000001, qop=auth-int, response="")";
    EXPECT_NE(response(header, "INVITE", "p", "v=0"), response(header, "INVITE", "p", "v=1"));
}

TEST(Digest, RefusesWhatWasNeverOffered) {
    EXPECT_EQ(response(R"(Digest username="u", realm="r", nonce="n", uri="sip:r", qop=auth,
                       response="")",
                       "REGISTER", "p"),
              "none");  // no nc, no cnonce
    EXPECT_EQ(response(R"(Digest username="u", realm="r", nonce="n", uri="sip:r", response="",
                       algorithm=SHA-1)",
                       "REGISTER", "p"),
              "none");
}

TEST(Auth, KeepsEscapesAndCommasOfQuotedStrings) {
    const std::string text = R"(Digest username="a \"b\", c", realm="x,y", nonce="n",)"
                             R"( uri="sip:r,s", response="00")";
    const auto credentials = credentials_of(text);
    EXPECT_EQ(credentials.username, R"(a \"b\", c)");
    EXPECT_EQ(credentials.realm, "x,y");
    EXPECT_EQ(credentials.uri, "sip:r,s");
    EXPECT_EQ(credentials.text(), text);
}

TEST(Auth, RefusesDoubledMissingAndBrokenParameters) {
    EXPECT_FALSE(Credentials::parse(R"(Digest username="a", username="b", realm="r", nonce="n",)"
                                    R"( uri="u", response="x")"));
    EXPECT_FALSE(Credentials::parse(R"(Digest username="a")"));
    EXPECT_FALSE(Credentials::parse(R"(Digest username="a, realm="r")"));
    EXPECT_FALSE(Credentials::parse(""));
    EXPECT_FALSE(Challenge::parse(R"(Digest realm="r", nonce="n", qop=a\)"));
    EXPECT_FALSE(Credentials::parse(R"(Digest username="a", realm="r", nonce="n", uri="u",)"
                                    R"( response="x", nc="0, x=y")"));
    std::string many = "Digest ";
    for (int i = 0; i < 40; ++i) many += fmt::format("p{}=1,", i);
    EXPECT_FALSE(Credentials::parse(many));
}

TEST(Auth, ReadsOnlyTheNameOfAnotherScheme) {
    const auto credentials = Credentials::parse("NoOneKnowsThisScheme opaque-data=here");
    ASSERT_TRUE(credentials);
    EXPECT_EQ(credentials->scheme, "NoOneKnowsThisScheme");
    EXPECT_FALSE(credentials->is_digest());
}

TEST(Digest, AClientAnswersAChallenge) {
    const auto challenge = Challenge::parse(
        R"(Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,)"
        R"( nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",)"
        R"( opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS")");
    ASSERT_TRUE(challenge);
    const auto answer =
        answer_challenge(*challenge, "Mufasa", Secret::password("Circle of Life"), "GET",
                         "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", 1);
    ASSERT_TRUE(answer);
    EXPECT_EQ(*answer,
              R"(Digest username="Mufasa", realm="http-auth@example.org",)"
              R"( nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", uri="/dir/index.html",)"
              R"( response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",)"
              R"( algorithm=SHA-256, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",)"
              R"( opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", qop=auth, nc=00000001)");
}

TEST(Digest, AClientSaysWhatItCannotAnswer) {
    EXPECT_FALSE(answer_challenge(*Challenge::parse("Basic realm=\"x\""), "u",
                                  Secret::password("p"), "GET", "/", "c", 1));
    EXPECT_FALSE(answer_challenge(*Challenge::parse(R"(Digest realm="x", nonce="n", algorithm=X)"),
                                  "u", Secret::password("p"), "GET", "/", "c", 1));
}

}  // namespace
}  // namespace strowger::sip
