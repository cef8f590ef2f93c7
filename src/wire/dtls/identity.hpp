#pragma once

#include <memory>
#include <string>

#include "base/time.hpp"
#include "wire/dtls/certificate.hpp"

struct ssl_ctx_st;

namespace strowger::dtls {

/// A certificate and what OpenSSL keeps for all connections that show it.
///
/// Shared: connections keep the one that they began with, while new ones get its successor.
class Identity {
public:
    /// `ciphers`: in OpenSSL's words; empty: those that browsers and phones prefer.
    static Result<std::shared_ptr<const Identity>> make(Certificate certificate,
                                                        const std::string& ciphers = {});
    static Result<> check_ciphers(const std::string& ciphers);

    const Certificate& certificate() const { return certificate_; }
    Fingerprint fingerprint(Hash hash = Hash::sha_256) const {
        return certificate_.fingerprint(hash);
    }
    ssl_ctx_st* context() const { return context_.get(); }

private:
    struct Free {
        void operator()(ssl_ctx_st* context) const;
    };

    Identity(Certificate certificate, ssl_ctx_st* context)
        : certificate_(std::move(certificate)), context_(context) {}

    Certificate certificate_;
    std::unique_ptr<ssl_ctx_st, Free> context_;
};

/// The identity of the day: made at the start, and anew every day.
class DailyIdentity {
public:
    DailyIdentity(const Certificate::Terms& terms, Time now, WallTime today,
                  std::string ciphers = {});
    DailyIdentity(Certificate::Key key, Time now, WallTime today)
        : DailyIdentity(Certificate::Terms{.key = key}, now, today) {}

    const std::shared_ptr<const Identity>& current() const { return current_; }

    Time deadline() const { return next_; }
    void tick(Time now, WallTime today);

private:
    Certificate::Terms terms_;
    std::string ciphers_;
    Time next_;
    std::shared_ptr<const Identity> current_;
};

}  // namespace strowger::dtls
