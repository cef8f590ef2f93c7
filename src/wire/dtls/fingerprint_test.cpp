#include "wire/dtls/fingerprint.hpp"

#include <gtest/gtest.h>

namespace strowger::dtls {
namespace {

// The hashes of "abc" that FIPS 180-2 prints stand in for those of a certificate.
const Bytes abc = as_bytes("abc");

TEST(Fingerprint, IsTheHashInCapitalsWithColons) {
    EXPECT_EQ(Fingerprint::of(Hash::sha_1, abc).text(),
              "sha-1 A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D");
    EXPECT_EQ(Fingerprint::of(Hash::sha_256, abc).text(),
              "sha-256 BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:"
              "B4:10:FF:61:F2:00:15:AD");
}

TEST(Fingerprint, IsReadBackInAnyCase) {
    for (const auto hash :
         {Hash::sha_1, Hash::sha_224, Hash::sha_256, Hash::sha_384, Hash::sha_512}) {
        const auto made = Fingerprint::of(hash, abc);
        auto text = made.text();
        EXPECT_EQ(Fingerprint::parse(text).value(), made);
        for (auto& c : text) c = c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c;
        EXPECT_EQ(Fingerprint::parse("  " + text + " ").value(), made);
    }
}

TEST(Fingerprint, OfAnUnknownHashIsALineToSkip) {
    const auto parsed = Fingerprint::parse("md5 A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C");
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code(), Fingerprint::unknown_hash);
    EXPECT_EQ(parsed.error().text(), "fingerprint: unknown hash 'md5'");
}

TEST(Fingerprint, MustHaveTheSizeOfItsHash) {
    const std::string good = Fingerprint::of(Hash::sha_1, abc).text();
    for (const std::string& wrong :
         {std::string("sha-1"), std::string("sha-1 "), good + ":00",
          good.substr(0, good.size() - 3), good.substr(0, good.size() - 1) + "G",
          "sha-256" + good.substr(5)}) {
        const auto parsed = Fingerprint::parse(wrong);
        ASSERT_FALSE(parsed) << wrong;
        EXPECT_EQ(parsed.error().code(), 0) << wrong;
    }
    auto dashes = good;
    dashes[8] = '-';
    EXPECT_FALSE(Fingerprint::parse(dashes));
}

TEST(Fingerprint, OfTheStrongestHashDecides) {
    const auto right = [](Hash hash) { return Fingerprint::of(hash, abc); };
    const auto wrong = [](Hash hash) { return Fingerprint::of(hash, as_bytes("abd")); };
    const auto good = [](std::vector<Fingerprint> announced, bool sha_1 = false) {
        return check_certificate(announced, abc, sha_1).has_value();
    };
    EXPECT_TRUE(good({right(Hash::sha_256)}));
    EXPECT_FALSE(good({wrong(Hash::sha_256)}));
    EXPECT_TRUE(good({wrong(Hash::sha_256), right(Hash::sha_256)}));  // two certificates
    EXPECT_TRUE(good({wrong(Hash::sha_256), right(Hash::sha_512)}));
    EXPECT_FALSE(good({right(Hash::sha_256), wrong(Hash::sha_512)}));
    EXPECT_FALSE(good({right(Hash::sha_1)}));
    EXPECT_TRUE(good({right(Hash::sha_1)}, true));
    EXPECT_FALSE(good({}));
}

}  // namespace
}  // namespace strowger::dtls
