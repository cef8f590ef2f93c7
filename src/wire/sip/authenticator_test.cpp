#include "wire/sip/authenticator.hpp"

#include <gtest/gtest.h>

namespace strowger::sip {
namespace {

using namespace std::chrono_literals;
using Verdict = Authenticator::Verdict;

constexpr Time start{1000s};
constexpr Authenticator::Key key{1, 2, 3};

Authenticator make(std::vector<Algorithm> algorithms = {Algorithm::md5}) {
    return Authenticator({.realm = "asterisk", .algorithms = std::move(algorithms)}, key);
}

std::string answer(const std::string& challenge, std::string_view password) {
    return *answer_challenge(*Challenge::parse(challenge), "alice", Secret::password(password),
                             "REGISTER", "sip:example.com", "cnonce", 1);
}

Verdict verdict(const Authenticator& authenticator, const std::string& header, Time now,
                std::string_view password = "secret") {
    return authenticator.verify(*Credentials::parse(header), "REGISTER", Secret::password(password),
                                now);
}

TEST(Authenticator, TakesTheRightPasswordWithinTheNoncesLifetime) {
    const auto authenticator = make();
    const auto header = answer(authenticator.challenges(start)[0], "secret");
    EXPECT_EQ(verdict(authenticator, header, start), Verdict::ok);
    EXPECT_EQ(verdict(authenticator, header, start + 32s), Verdict::ok);
}

TEST(Authenticator, CallsARightAnswerToAnOldNonceStale) {
    const auto authenticator = make();
    const auto header = answer(authenticator.challenges(start)[0], "secret");
    EXPECT_EQ(verdict(authenticator, header, start + 32001ms), Verdict::stale);
    EXPECT_EQ(verdict(authenticator, header, start - 1ms), Verdict::stale);  // from the future
    EXPECT_NE(authenticator.challenges(start, true)[0].find("stale=true"), std::string::npos);
}

TEST(Authenticator, CallsAWrongPasswordWrongWhateverTheNonce) {
    const auto authenticator = make();
    const auto header = answer(authenticator.challenges(start)[0], "guess");
    EXPECT_EQ(verdict(authenticator, header, start), Verdict::wrong);
    EXPECT_EQ(verdict(authenticator, header, start + 1h), Verdict::wrong);
}

TEST(Authenticator, TakesNoNonceThatItDidNotIssue) {
    const auto authenticator = make();
    const Authenticator other({.realm = "asterisk"}, Authenticator::Key{9});
    EXPECT_EQ(verdict(authenticator, answer(other.challenges(start)[0], "secret"), start),
              Verdict::stale);
    EXPECT_EQ(verdict(authenticator,
                      answer(R"(Digest realm="asterisk", nonce="", qop="auth")", "secret"), start),
              Verdict::stale);
}

TEST(Authenticator, OffersAChallengeForEachAlgorithmAndTakesEach) {
    const auto authenticator = make({Algorithm::sha512_256, Algorithm::sha256, Algorithm::md5});
    const auto challenges = authenticator.challenges(start);
    ASSERT_EQ(challenges.size(), 3u);
    for (const auto& challenge : challenges)
        EXPECT_EQ(verdict(authenticator, answer(challenge, "secret"), start), Verdict::ok);
}

TEST(Authenticator, RefusesAnAlgorithmOrRealmThatItNeverOffered) {
    const auto strong = make({Algorithm::sha256});
    const auto weak = make({Algorithm::md5});
    EXPECT_EQ(verdict(strong, answer(weak.challenges(start)[0], "secret"), start),
              Verdict::malformed);
    const Authenticator elsewhere({.realm = "other"}, key);
    EXPECT_EQ(verdict(weak, answer(elsewhere.challenges(start)[0], "secret"), start),
              Verdict::malformed);
}

TEST(Authenticator, RefusesTheAnswerToAnotherMethod) {
    const auto authenticator = make();
    const auto header = answer(authenticator.challenges(start)[0], "secret");
    EXPECT_EQ(authenticator.verify(*Credentials::parse(header), "INVITE",
                                   Secret::password("secret"), start),
              Verdict::wrong);
}

}  // namespace
}  // namespace strowger::sip
