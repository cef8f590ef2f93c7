#pragma once

#include <cstdint>
#include <string>

namespace strowger {

/// Chance, passed in. Seeded it repeats itself (tests); from `Random::system()` it does not.
///
/// xoshiro256** seeded from the kernel: good enough for tags, branches, SSRCs and jittered timers,
/// where the requirement is that they do not collide (RFC 3261 section 19.3, RFC 3550 section 8).
/// Keys and nonce secrets come from OpenSSL instead.
class Random {
public:
    explicit Random(std::uint64_t seed);
    static Random system();

    std::uint64_t next();
    std::uint32_t next32() { return static_cast<std::uint32_t>(next() >> 32); }
    std::uint64_t below(std::uint64_t bound);  ///< 0 <= result < bound; bound > 0
    double between(double low, double high);   ///< uniform in [low, high)
    std::string token(std::size_t length);     ///< letters and digits: a SIP token of that length

private:
    std::uint64_t state_[4];
};

}  // namespace strowger
