#include "wire/dtls/certificate.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "wire/dtls/identity.hpp"

namespace strowger::dtls {
namespace {

using namespace std::chrono_literals;

constexpr WallTime today = std::chrono::sys_days{std::chrono::year{2030} / 6 / 15};

std::string pem_of(const Certificate& certificate, bool key) {
    BIO* const bio = BIO_new(BIO_s_mem());
    if (key) {
        PEM_write_bio_PrivateKey(bio, certificate.key(), nullptr, nullptr, 0, nullptr, nullptr);
    } else {
        PEM_write_bio_X509(bio, certificate.x509());
    }
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    return text;
}

bool valid_at(const Certificate& certificate, WallTime time) {
    auto at = static_cast<std::time_t>(seconds(time.time_since_epoch()));
    return X509_cmp_time(X509_get0_notBefore(certificate.x509()), &at) < 0 &&
           X509_cmp_time(X509_get0_notAfter(certificate.x509()), &at) > 0;
}

TEST(Certificate, IsSignedByItselfAndGoodForAMonth) {
    for (const auto key : {Certificate::Key::ecdsa_p256, Certificate::Key::rsa}) {
        const auto made = Certificate::self_signed(key, today);
        EXPECT_EQ(X509_verify(made.x509(), made.key()), 1);
        EXPECT_TRUE(valid_at(made, today));
        EXPECT_TRUE(valid_at(made, today - 23h));
        EXPECT_FALSE(valid_at(made, today - 25h));
        EXPECT_TRUE(valid_at(made, today + 29 * 24h));
        EXPECT_FALSE(valid_at(made, today + 31 * 24h));
        EXPECT_EQ(EVP_PKEY_get_base_id(made.key()),
                  key == Certificate::Key::rsa ? EVP_PKEY_RSA : EVP_PKEY_EC);
        EXPECT_EQ(EVP_PKEY_get_bits(made.key()), key == Certificate::Key::rsa ? 2048 : 256);
    }
}

TEST(Certificate, IsAnotherOneEachTime) {
    const auto one = Certificate::self_signed(Certificate::Key::ecdsa_p256, today);
    const auto two = Certificate::self_signed(Certificate::Key::ecdsa_p256, today);
    EXPECT_NE(one.fingerprint(), two.fingerprint());
}

TEST(Certificate, IsReadFromPem) {
    const auto made = Certificate::self_signed(Certificate::Key::ecdsa_p256, today);
    const auto read = Certificate::from_pem(pem_of(made, false), pem_of(made, true));
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->fingerprint(Hash::sha_512), made.fingerprint(Hash::sha_512));
    EXPECT_TRUE(Identity::make(*Certificate::from_pem(pem_of(made, false), pem_of(made, true))));
}

TEST(Certificate, SaysWhatIsWrongWithPem) {
    const auto one = Certificate::self_signed(Certificate::Key::ecdsa_p256, today);
    const auto two = Certificate::self_signed(Certificate::Key::ecdsa_p256, today);
    const auto error = [](const std::string& certificate, const std::string& key) {
        const auto read = Certificate::from_pem(certificate, key);
        return read ? "none" : read.error().text();
    };
    EXPECT_EQ(error("nonsense", pem_of(one, true)), "certificate in PEM: no start line");
    EXPECT_TRUE(error(pem_of(one, false), "nonsense").starts_with("private key in PEM: "));
    EXPECT_EQ(error(pem_of(one, false), pem_of(two, true)),
              "certificate and private key in PEM: key values mismatch");
    EXPECT_EQ(error(std::string(70'000, 'x'), ""),
              "certificate or key in PEM: longer than 65536 bytes");
}

TEST(DailyIdentity, IsAnotherOneEveryDayAndTheOldOneLivesOn) {
    DailyIdentity daily(Certificate::Key::ecdsa_p256, Time{}, today);
    const auto first = daily.current();
    ASSERT_TRUE(first);
    EXPECT_EQ(daily.deadline(), Time{} + 24h);
    daily.tick(Time{} + 24h - 1ns, today);
    EXPECT_EQ(daily.current(), first);
    daily.tick(daily.deadline(), today + 24h);
    EXPECT_NE(daily.current(), first);
    EXPECT_NE(daily.current()->fingerprint(), first->fingerprint());
    EXPECT_EQ(daily.deadline(), Time{} + 48h);
}

}  // namespace
}  // namespace strowger::dtls
