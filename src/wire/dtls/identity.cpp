#include "wire/dtls/identity.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <stdexcept>

#include "wire/dtls/connection.hpp"

namespace strowger::dtls {

namespace {

constexpr auto lifetime = std::chrono::hours{24};

// Those that browsers and phones prefer, in this order; CBC with SHA-1 only for old phones.
constexpr const char* usual_ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA";
constexpr const char* groups = "X25519:P-256:P-384";

bool configure(SSL_CTX* context, const Certificate& certificate, const char* ciphers) {
    // No tickets and no resumption: every call shows its certificate. The MTU is told, not asked.
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_QUERY_MTU |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_max_cert_list(context, max_handshake_message);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_cert_verify_callback(context, Connection::verify_callback, nullptr);
    return SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, ciphers) == 1 &&
           SSL_CTX_set1_groups_list(context, groups) == 1 &&
           SSL_CTX_use_certificate(context, certificate.x509()) == 1 &&
           SSL_CTX_use_PrivateKey(context, certificate.key()) == 1;
}

}  // namespace

void Identity::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Result<std::shared_ptr<const Identity>> Identity::make(Certificate certificate,
                                                       const std::string& ciphers) {
    std::unique_ptr<ssl_ctx_st, Free> context(SSL_CTX_new(DTLS_method()));
    ERR_clear_error();
    if (!context ||
        !configure(context.get(), certificate, ciphers.empty() ? usual_ciphers : ciphers.c_str())) {
        const char* reason = ERR_reason_error_string(ERR_peek_last_error());
        return fail("DTLS cannot use the certificate: {}",
                    reason != nullptr ? reason : "unknown reason");
    }
    return std::shared_ptr<const Identity>(new Identity(std::move(certificate), context.release()));
}

Result<> Identity::check_ciphers(const std::string& ciphers) {
    const std::unique_ptr<ssl_ctx_st, Free> context(SSL_CTX_new(DTLS_method()));
    const bool known = context && SSL_CTX_set_cipher_list(context.get(), ciphers.c_str()) == 1;
    ERR_clear_error();
    if (!known) return fail("'{}': OpenSSL knows no cipher of that name", ciphers);
    return {};
}

DailyIdentity::DailyIdentity(const Certificate::Terms& terms, Time now, WallTime today,
                             std::string ciphers)
    : terms_(terms), ciphers_(std::move(ciphers)), next_(now) {
    tick(now, today);
}

void DailyIdentity::tick(Time now, WallTime today) {
    if (now < next_) return;
    auto made = Identity::make(Certificate::self_signed(terms_, today), ciphers_);
    if (!made) throw std::runtime_error(made.error().text());  // our own certificate
    current_ = *std::move(made);
    next_ = now + lifetime;
}

}  // namespace strowger::dtls
