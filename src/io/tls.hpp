#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace strowger::io {

enum class TlsVersion { tls1_0, tls1_1, tls1_2, tls1_3 };

/// Certificates and rules for TLS connections, of servers and of clients (OpenSSL).
class TlsContext {
public:
    struct Options {
        std::string certificate_file = {};  ///< PEM, leaf first, then its chain; empty for a client
        std::string key_file = {};          ///< PEM; empty: in the certificate's file
        std::string key_password = {};      ///< of an encrypted key
        std::string ca_file = {};  ///< trusted roots, PEM; with neither, those of the system
        std::string ca_directory = {};
        bool verify_peer = true;                  ///< as client: the server's chain and name
        bool allow_wildcards = true;              ///< as client: "*.example.net" fits a name below
        bool check_client_certificate = false;    ///< as server: ask for one, refuse invalid ones
        bool require_client_certificate = false;  ///< as server: refuse clients without a valid one
        TlsVersion min_version = TlsVersion::tls1_2;
        TlsVersion max_version = TlsVersion::tls1_3;
        std::string ciphers = {};            ///< OpenSSL list for TLS 1.2; empty: OpenSSL's default
        std::string cipher_suites = {};      ///< for TLS 1.3
        std::vector<std::string> alpn = {};  ///< in order of preference
    };

    /// Reads everything now: a missing or unfit file is an error here, not at the first call.
    static Result<std::shared_ptr<TlsContext>> server(Options options);
    static Result<std::shared_ptr<TlsContext>> client(Options options);
    ~TlsContext();

    /// Reads the files again. New connections use them, established ones keep theirs; on an error
    /// the old ones stay in use.
    Result<> reload();

    struct Impl;
    Impl& impl() { return *impl_; }  ///< for the .cpp files of io

private:
    explicit TlsContext(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace strowger::io
