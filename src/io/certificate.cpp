#include "io/certificate.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>

namespace strowger::io {

namespace {

template <auto Free>
struct Freer {
    template <typename T>
    void operator()(T* it) const {
        Free(it);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Leaf = std::unique_ptr<X509, Freer<X509_free>>;
using Memory = std::unique_ptr<BIO, Freer<BIO_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const auto length = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(length)};
}

std::string digest_of(X509* certificate) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned length = 0;
    X509_digest(certificate, EVP_sha256(), digest.data(), &length);
    std::string text;
    for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
}

bool add(X509* certificate, int what, const std::string& value) {
    const Extension extension(X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

}  // namespace

Result<Certificate> make_certificate(const std::vector<std::string>& dns_names, WallTime from,
                                     Duration lifetime) {
    const Key key(EVP_EC_gen("P-256"));
    const Leaf leaf(X509_new());
    if (!key || !leaf) return fail("OpenSSL cannot make a key");
    std::array<unsigned char, 16> serial;
    if (RAND_bytes(serial.data(), serial.size()) != 1) return fail("OpenSSL has no random bytes");
    serial[0] &= 0x7f;  // RFC 5280 section 4.1.2.2: positive
    const std::unique_ptr<BIGNUM, Freer<BN_free>> number(
        BN_bin2bn(serial.data(), serial.size(), nullptr));
    BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(leaf.get()));
    X509_set_version(leaf.get(), X509_VERSION_3);
    const auto begin = std::chrono::floor<std::chrono::seconds>(from);
    const auto end = begin + std::chrono::floor<std::chrono::seconds>(lifetime);
    ASN1_TIME_set(X509_getm_notBefore(leaf.get()), begin.time_since_epoch().count());
    ASN1_TIME_set(X509_getm_notAfter(leaf.get()), end.time_since_epoch().count());
    auto* name = X509_get_subject_name(leaf.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("strowger"), -1, -1, 0);
    X509_set_issuer_name(leaf.get(), name);
    X509_set_pubkey(leaf.get(), key.get());
    std::string names;
    for (const auto& dns : dns_names) names += (names.empty() ? "DNS:" : ",DNS:") + dns;
    if ((!names.empty() && !add(leaf.get(), NID_subject_alt_name, names)) ||
        !add(leaf.get(), NID_ext_key_usage, "serverAuth") ||
        X509_sign(leaf.get(), key.get(), EVP_sha256()) == 0)
        return fail("OpenSSL cannot sign a certificate for '{}'", names);
    const Memory certificate_text(BIO_new(BIO_s_mem())), key_text(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(certificate_text.get(), leaf.get());
    PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return Certificate{text_of(certificate_text.get()), text_of(key_text.get()),
                       digest_of(leaf.get())};
}

Result<std::string> certificate_sha256(std::string_view pem) {
    const Memory text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const Leaf leaf(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
    if (!leaf) return fail("no certificate in PEM form");
    return digest_of(leaf.get());
}

}  // namespace strowger::io
