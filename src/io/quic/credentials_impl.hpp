#pragma once

#include <gnutls/gnutls.h>

#include "io/quic/credentials.hpp"

namespace strowger::io::quic {

struct Credentials::Impl {
    gnutls_certificate_credentials_t native = nullptr;
    gnutls_priority_t priority = nullptr;
    ~Impl() {
        if (native) gnutls_certificate_free_credentials(native);
        if (priority) gnutls_priority_deinit(priority);
    }
};

}  // namespace strowger::io::quic
