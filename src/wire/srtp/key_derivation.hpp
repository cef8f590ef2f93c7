#pragma once

#include <array>

#include "wire/srtp/master_key.hpp"

namespace strowger::srtp {

constexpr std::size_t hmac_key_size = 20;

/// What protects one kind of packets, RTP or RTCP.
struct SessionKeys {
    std::array<std::uint8_t, max_key_size> key{};
    std::array<std::uint8_t, max_salt_size> salt{};
    std::array<std::uint8_t, hmac_key_size> authentication{};
    std::uint8_t key_size = 0;
    std::uint8_t salt_size = 0;

    Bytes cipher_key() const { return Bytes(key).first(key_size); }
    Bytes cipher_salt() const { return Bytes(salt).first(salt_size); }
};

enum class PacketKind : std::uint8_t { rtp, rtcp };

/// Key derivation (RFC 3711 section 4.3.1, with the AES of RFC 6188 and RFC 7714 section 11) at a
/// rate of 0: session keys are derived once.
SessionKeys derive(Suite suite, const MasterKey& master, PacketKind kind);

/// The pseudo-random function behind it (section 4.3.3), for one label.
void derive(std::uint8_t label, Bytes key, Bytes salt, MutableBytes out);

}  // namespace strowger::srtp
