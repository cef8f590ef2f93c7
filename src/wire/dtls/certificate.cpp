#include "wire/dtls/certificate.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <stdexcept>

namespace strowger::dtls {

namespace {

constexpr auto valid_before = std::chrono::days{1};
constexpr auto valid_after = std::chrono::days{30};
constexpr std::size_t max_pem_size = std::size_t{64} * 1024;  // a chain of a dozen certificates

struct FreeBio {
    void operator()(BIO* bio) const { BIO_free(bio); }
};

void require(bool worked) {
    if (!worked) throw std::runtime_error("OpenSSL cannot make a certificate");
}

ASN1_INTEGER* random_serial(ASN1_INTEGER* serial) {
    std::uint64_t number = 0;
    require(RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number) == 1);
    require(ASN1_INTEGER_set_uint64(serial, number >> 1) == 1);  // positive
    return serial;
}

const EVP_MD* digest_of(Hash hash) {
    switch (hash) {
        case Hash::sha_1: return EVP_sha1();
        case Hash::sha_224: return EVP_sha224();
        case Hash::sha_256: return EVP_sha256();
        case Hash::sha_384: return EVP_sha384();
        case Hash::sha_512: return EVP_sha512();
    }
    return EVP_sha256();
}

std::time_t seconds_of(WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string last_reason() {
    const char* text = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return text != nullptr ? text : "unknown reason";
}

}  // namespace

void Certificate::Free::operator()(x509_st* x509) const { X509_free(x509); }
void Certificate::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Certificate::Certificate(X509Pointer x509, KeyPointer key)
    : x509_(std::move(x509)), key_(std::move(key)) {
    const int size = i2d_X509(x509_.get(), nullptr);
    require(size > 0);
    der_.resize(static_cast<std::size_t>(size));
    unsigned char* out = der_.data();
    i2d_X509(x509_.get(), &out);
}

Certificate Certificate::self_signed(const Terms& terms, WallTime today) {
    KeyPointer made(terms.key == Key::rsa ? EVP_RSA_gen(terms.rsa_bits) : EVP_EC_gen("P-256"));
    X509Pointer x509(X509_new());
    require(made && x509);
    X509* const raw = x509.get();
    require(X509_set_version(raw, X509_VERSION_3) == 1);
    random_serial(X509_get_serialNumber(raw));
    require(ASN1_TIME_set(X509_getm_notBefore(raw), seconds_of(today - valid_before)) != nullptr);
    require(ASN1_TIME_set(X509_getm_notAfter(raw), seconds_of(today + valid_after)) != nullptr);
    // The name that every WebRTC stack gives itself; it tells nothing about this one.
    X509_NAME* const name = X509_get_subject_name(raw);
    require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                       reinterpret_cast<const unsigned char*>("WebRTC"), -1, -1,
                                       0) == 1);
    require(X509_set_issuer_name(raw, name) == 1);
    require(X509_set_pubkey(raw, made.get()) == 1);
    require(X509_sign(raw, made.get(), digest_of(terms.signature)) > 0);
    return {std::move(x509), std::move(made)};
}

Result<Certificate> Certificate::from_pem(std::string_view certificate, std::string_view key) {
    if (certificate.size() > max_pem_size || key.size() > max_pem_size) {
        return fail("certificate or key in PEM: longer than {} bytes", max_pem_size);
    }
    using Bio = std::unique_ptr<BIO, FreeBio>;
    const Bio certificate_bio(
        BIO_new_mem_buf(certificate.data(), static_cast<int>(certificate.size())));
    const Bio key_bio(BIO_new_mem_buf(key.data(), static_cast<int>(key.size())));
    ERR_clear_error();
    // An empty passphrase rather than the terminal being asked for one.
    char none[] = "";
    X509Pointer x509(PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, none));
    if (!x509) return fail("certificate in PEM: {}", last_reason());
    KeyPointer made(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, none));
    if (!made) return fail("private key in PEM: {}", last_reason());
    if (X509_check_private_key(x509.get(), made.get()) != 1) {
        return fail("certificate and private key in PEM: {}", last_reason());
    }
    return Certificate(std::move(x509), std::move(made));
}

}  // namespace strowger::dtls
