#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "io/tls.hpp"

namespace strowger::io {

struct SslContextFree {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct SslFree {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
};

struct TlsContext::Impl {
    Options options;
    bool is_server = false;
    std::string alpn;  // as on the wire: each name after its length
    std::unique_ptr<SSL_CTX, SslContextFree> context;

    Result<std::unique_ptr<SSL_CTX, SslContextFree>> make();
};

/// What OpenSSL's error queue says first, and empties it.
std::string tls_error_text();

}  // namespace strowger::io
