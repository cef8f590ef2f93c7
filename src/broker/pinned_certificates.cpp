#include "broker/pinned_certificates.hpp"

namespace strowger::broker {

namespace {
// Clocks of browsers run ahead of ours or behind: a new certificate begins a little in the past.
constexpr Duration most_skew = std::chrono::minutes{10};

constexpr Duration half(Duration life) { return life / 2; }
constexpr Duration service(Duration life) { return life / 7 * 6; }
}  // namespace

Result<PinnedCertificates::Dated> PinnedCertificates::make(WallTime now) const {
    const auto skew = std::min(most_skew, longest_life - lifetime_);
    auto certificate = io::make_certificate({"localhost"}, now - skew, lifetime_ + skew);
    if (!certificate) return std::unexpected(certificate.error());
    return Dated{std::move(*certificate), now};
}

Result<bool> PinnedCertificates::renew(WallTime now) {
    bool changed = false;
    if (!current_ || now >= current_->made + lifetime_) {
        // The first one, or the machine has slept through the successor's time, too.
        if (successor_ && now < successor_->made + service(lifetime_)) {
            current_ = std::move(successor_);
        } else {
            auto made = make(now);
            if (!made) return std::unexpected(made.error());
            current_ = std::move(*made);
        }
        successor_.reset();
        changed = true;
    }
    if (!successor_ && now >= current_->made + half(lifetime_)) {
        auto made = make(now);
        if (!made) return std::unexpected(made.error());
        successor_ = std::move(*made);
    }
    if (successor_ && now >= current_->made + service(lifetime_)) {
        current_ = std::exchange(successor_, std::nullopt);
        changed = true;
    }
    return changed;
}

WallTime PinnedCertificates::next() const {
    return current_->made + (successor_ ? service(lifetime_) : half(lifetime_));
}

std::vector<std::string> PinnedCertificates::hashes() const {
    std::vector<std::string> hashes{current_->certificate.sha256};
    if (successor_) hashes.push_back(successor_->certificate.sha256);
    return hashes;
}

}  // namespace strowger::broker
