#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "io/certificate.hpp"

namespace strowger::broker {

/// The certificates that pages recognise by their hash, renewed before they end.
///
/// Each is made when the one before it is half through, and its hash given out from then on, but
/// it serves only after six sevenths of the other's life: so pages have known it for days when
/// they first see it.
class PinnedCertificates {
public:
    /// Chromium takes no certificate by its hash that is valid for longer.
    static constexpr Duration longest_life = std::chrono::days{14};

    explicit PinnedCertificates(Duration lifetime) : lifetime_(lifetime) {}

    /// Makes what is due; true when another one serves than before.
    Result<bool> renew(WallTime now);
    /// When `renew` is to be called next.
    WallTime next() const;

    const io::Certificate& current() const { return current_->certificate; }
    std::vector<std::string> hashes() const;  ///< the serving one's first

private:
    struct Dated {
        io::Certificate certificate;
        WallTime made;
    };
    Result<Dated> make(WallTime now) const;

    Duration lifetime_;
    std::optional<Dated> current_, successor_;
};

}  // namespace strowger::broker
