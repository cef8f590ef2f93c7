#include "io/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "io/tls_impl.hpp"

namespace strowger::io {

namespace {

int number_of(TlsVersion version) {
    switch (version) {
        case TlsVersion::tls1_0: return TLS1_VERSION;
        case TlsVersion::tls1_1: return TLS1_1_VERSION;
        case TlsVersion::tls1_2: break;
        case TlsVersion::tls1_3: return TLS1_3_VERSION;
    }
    return TLS1_2_VERSION;
}

int give_password(char* buffer, int size, int, void* argument) {
    const auto& password = *static_cast<const std::string*>(argument);
    if (password.empty() || password.size() >= static_cast<std::size_t>(size)) return 0;
    std::memcpy(buffer, password.data(), password.size());
    return static_cast<int>(password.size());
}

// RFC 7301 section 3.2: the server chooses, by its own preference.
int select_alpn(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
                unsigned in_length, void* argument) {
    const auto& own = *static_cast<const std::string*>(argument);
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(
            &chosen, out_length, reinterpret_cast<const unsigned char*>(own.data()),
            static_cast<unsigned>(own.size()), in, in_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

Result<> check_readable(const std::string& path, const char* what) {
    if (access(path.c_str(), R_OK) == 0) return {};
    const int code = errno;
    return fail_with(code, "TLS: {} '{}' cannot be read: {}", what, path, std::strerror(code));
}

}  // namespace

std::string tls_error_text() {
    const auto code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return "no reason given";
    if (const char* reason = ERR_reason_error_string(code)) return reason;
    return fmt::format("OpenSSL error {:#x}", code);
}

Result<std::unique_ptr<SSL_CTX, SslContextFree>> TlsContext::Impl::make() {
    ERR_clear_error();
    std::unique_ptr<SSL_CTX, SslContextFree> made(
        SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method()));
    if (!made) return fail("TLS: no context: {}", tls_error_text());
    SSL_CTX* ctx = made.get();
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    static constexpr unsigned char session_context[] = "strowger";
    SSL_CTX_set_session_id_context(ctx, session_context, sizeof session_context - 1);
    if (SSL_CTX_set_min_proto_version(ctx, number_of(options.min_version)) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, number_of(options.max_version)) != 1)
        return fail("TLS: versions refused: {}", tls_error_text());
    if (!options.ciphers.empty() && SSL_CTX_set_cipher_list(ctx, options.ciphers.c_str()) != 1)
        return fail("TLS: cipher list '{}': {}", options.ciphers, tls_error_text());
    if (!options.cipher_suites.empty() &&
        SSL_CTX_set_ciphersuites(ctx, options.cipher_suites.c_str()) != 1)
        return fail("TLS: cipher suites '{}': {}", options.cipher_suites, tls_error_text());

    if (is_server && options.certificate_file.empty())
        return fail("TLS: a server needs a certificate file");
    if (!options.certificate_file.empty()) {
        const auto& certificate = options.certificate_file;
        const auto& key = options.key_file.empty() ? certificate : options.key_file;
        if (auto ok = check_readable(certificate, "certificate file"); !ok)
            return std::unexpected(ok.error());
        if (auto ok = check_readable(key, "key file"); !ok) return std::unexpected(ok.error());
        if (SSL_CTX_use_certificate_chain_file(ctx, certificate.c_str()) != 1)
            return fail("TLS: certificate file '{}': {}", certificate, tls_error_text());
        // Without one OpenSSL would ask on the terminal.
        SSL_CTX_set_default_passwd_cb(ctx, give_password);
        SSL_CTX_set_default_passwd_cb_userdata(ctx, &options.key_password);
        if (SSL_CTX_use_PrivateKey_file(ctx, key.c_str(), SSL_FILETYPE_PEM) != 1)
            return fail("TLS: key file '{}': {}", key, tls_error_text());
        if (SSL_CTX_check_private_key(ctx) != 1)
            return fail("TLS: key file '{}' does not fit certificate file '{}'", key, certificate);
    }

    if (!options.ca_file.empty() || !options.ca_directory.empty()) {
        if (!options.ca_file.empty())
            if (auto ok = check_readable(options.ca_file, "CA file"); !ok)
                return std::unexpected(ok.error());
        const char* file = options.ca_file.empty() ? nullptr : options.ca_file.c_str();
        const char* directory =
            options.ca_directory.empty() ? nullptr : options.ca_directory.c_str();
        if (SSL_CTX_load_verify_locations(ctx, file, directory) != 1)
            return fail("TLS: CA file '{}': {}", options.ca_file, tls_error_text());
        if (is_server && file) SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(file));
    } else {
        SSL_CTX_set_default_verify_paths(ctx);
    }
    if (is_server)
        SSL_CTX_set_verify(ctx,
                           options.require_client_certificate
                               ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                           : options.check_client_certificate ? SSL_VERIFY_PEER
                                                              : SSL_VERIFY_NONE,
                           nullptr);
    else
        SSL_CTX_set_verify(ctx, options.verify_peer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);

    if (!alpn.empty()) {
        if (is_server)
            SSL_CTX_set_alpn_select_cb(ctx, select_alpn, &alpn);
        else
            SSL_CTX_set_alpn_protos(ctx, reinterpret_cast<const unsigned char*>(alpn.data()),
                                    static_cast<unsigned>(alpn.size()));
    }
    return made;
}

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

namespace {

Result<std::unique_ptr<TlsContext::Impl>> make_impl(TlsContext::Options options, bool is_server) {
    auto impl = std::make_unique<TlsContext::Impl>();
    impl->is_server = is_server;
    for (const auto& name : options.alpn) {
        if (name.empty() || name.size() > 255)
            return fail("TLS: '{}' is no ALPN name: 1 to 255 octets", name);
        impl->alpn += static_cast<char>(name.size());
        impl->alpn += name;
    }
    impl->options = std::move(options);
    auto context = impl->make();
    if (!context) return std::unexpected(context.error());
    impl->context = std::move(*context);
    return impl;
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::server(Options options) {
    auto impl = make_impl(std::move(options), true);
    if (!impl) return std::unexpected(impl.error());
    return std::shared_ptr<TlsContext>(new TlsContext(std::move(*impl)));
}

Result<std::shared_ptr<TlsContext>> TlsContext::client(Options options) {
    auto impl = make_impl(std::move(options), false);
    if (!impl) return std::unexpected(impl.error());
    return std::shared_ptr<TlsContext>(new TlsContext(std::move(*impl)));
}

Result<> TlsContext::reload() {
    auto fresh = impl_->make();
    if (!fresh) return std::unexpected(fresh.error());
    impl_->context =
        std::move(*fresh);  // each connection holds a reference to the one it began with
    return {};
}

}  // namespace strowger::io
