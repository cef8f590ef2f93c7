#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/srtp/suite.hpp"

namespace strowger::srtp {

constexpr std::size_t max_key_size = 32;
constexpr std::size_t max_salt_size = 14;

/// The master key and master salt of one direction (RFC 3711 section 3.2.1), in place.
class MasterKey {
public:
    /// `bytes` is the key, then the salt, as SDES carries them; their size must be the suite's.
    static Result<MasterKey> from(Suite suite, Bytes bytes);
    static MasterKey random(Suite suite);  ///< from OpenSSL's generator

    Bytes key() const { return Bytes(bytes_).first(key_size_); }
    Bytes salt() const { return Bytes(bytes_).subspan(key_size_, salt_size_); }
    Bytes key_and_salt() const { return Bytes(bytes_).first(std::size_t{key_size_} + salt_size_); }

    bool operator==(const MasterKey&) const = default;

private:
    explicit MasterKey(const SuiteInfo& info)
        : key_size_(info.key_size), salt_size_(info.salt_size) {}

    std::array<std::uint8_t, max_key_size + max_salt_size> bytes_{};
    std::uint8_t key_size_;
    std::uint8_t salt_size_;
};

/// RFC 4568 section 6.1: an MKI has 1 to 128 bytes.
constexpr std::size_t max_mki_size = 128;

/// A master key with the identifier that packets under it carry; no identifier, no MKI field.
struct IdentifiedKey {
    MasterKey master;
    std::vector<std::uint8_t> mki;

    bool operator==(const IdentifiedKey&) const = default;
};

/// The key has the sizes of the suite, and its identifier is not too long.
Result<> check(Suite suite, const IdentifiedKey& key);

}  // namespace strowger::srtp
