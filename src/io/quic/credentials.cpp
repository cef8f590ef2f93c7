#include "io/quic/credentials.hpp"

#include "io/quic/credentials_impl.hpp"

namespace strowger::io::quic {

namespace {

// QUIC has no other TLS (RFC 9001 section 4.2) and no middlebox to please (section 8.4).
constexpr const char* priorities =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:"
    "%DISABLE_TLS13_COMPAT_MODE";

gnutls_datum_t datum(std::string_view text) {
    return {reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())),
            static_cast<unsigned>(text.size())};
}

}  // namespace

Credentials::Credentials(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Credentials::~Credentials() = default;

Result<std::shared_ptr<const Credentials>> Credentials::from_pem(std::string_view certificate,
                                                                 std::string_view key) {
    auto impl = std::make_unique<Impl>();
    if (gnutls_certificate_allocate_credentials(&impl->native) != 0 ||
        gnutls_priority_init(&impl->priority, priorities, nullptr) != 0)
        return fail("GnuTLS cannot be set up");
    const auto chain = datum(certificate), secret = datum(key);
    const int done =
        gnutls_certificate_set_x509_key_mem(impl->native, &chain, &secret, GNUTLS_X509_FMT_PEM);
    if (done < 0) return fail("certificate and key: {}", gnutls_strerror(done));
    return std::shared_ptr<const Credentials>(new Credentials(std::move(impl)));
}

}  // namespace strowger::io::quic
