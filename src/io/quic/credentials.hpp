#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace strowger::io::quic {

/// A certificate with its key, as QUIC's handshakes use it (GnuTLS). Shared with the connections
/// that began with it: a renewal changes nothing for them.
class Credentials {
public:
    /// PEM: the leaf first, then its chain.
    static Result<std::shared_ptr<const Credentials>> from_pem(std::string_view certificate,
                                                               std::string_view key);
    ~Credentials();

    struct Impl;
    const Impl& impl() const { return *impl_; }  ///< for the .cpp files of this folder

private:
    explicit Credentials(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace strowger::io::quic
