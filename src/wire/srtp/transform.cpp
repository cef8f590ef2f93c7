#include "wire/srtp/transform.hpp"

#include <openssl/crypto.h>

#include <algorithm>

namespace strowger::srtp {

namespace {

constexpr std::size_t rtp_header_size = 12;

std::array<std::uint8_t, 4> word_of(std::uint32_t value) {
    std::array<std::uint8_t, 4> bytes{};
    store32(bytes, 0, value);
    return bytes;
}

/// HMAC suites authenticate the rollover counter with the packet (RFC 3711 section 4.2).
std::array<std::uint8_t, 4> rollover_of(std::uint64_t index) {
    return word_of(static_cast<std::uint32_t>(index >> 16));
}

bool same(Bytes a, Bytes b) { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

}  // namespace

Size payload_offset(Bytes packet) {
    if (packet.size() < rtp_header_size || packet[0] >> 6 != 2) {
        return std::unexpected(Fault::malformed);
    }
    std::size_t at = rtp_header_size + (packet[0] & 0x0f) * std::size_t{4};
    if ((packet[0] & 0x10) != 0) {
        if (at + 4 > packet.size()) return std::unexpected(Fault::malformed);
        at += 4 + load16(packet, at + 2) * std::size_t{4};
    }
    if (at > packet.size()) return std::unexpected(Fault::malformed);
    return at;
}

Transform::Half::Half(const SuiteInfo& info, const SessionKeys& keys, Use use)
    : cipher(info.cipher == Cipher::aes_gcm
                 ? std::variant<Aead, Keystream>(std::in_place_type<Aead>, keys.cipher_key(),
                                                 keys.cipher_salt(), use == Use::protect)
                 : std::variant<Aead, Keystream>(std::in_place_type<Keystream>, info.cipher,
                                                 keys.cipher_key(), keys.cipher_salt())),
      hmac(keys.authentication) {}

Transform::Transform(const Policy& policy, const IdentifiedKey& key, Use use)
    : policy_(policy),
      mki_(key.mki),
      rtp_tag_(policy.authenticate_rtp ? info_of(policy.suite).rtp_tag : 0),
      rtcp_tag_(info_of(policy.suite).rtcp_tag),
      rtp_(info_of(policy.suite), derive(policy.suite, key.master, PacketKind::rtp), use),
      rtcp_(info_of(policy.suite), derive(policy.suite, key.master, PacketKind::rtcp), use) {}

void Transform::put_mki(MutableBytes buffer, std::size_t at) const {
    std::ranges::copy(mki_, buffer.subspan(at).begin());
}

Size Transform::protect_rtp(MutableBytes buffer, std::size_t size, std::size_t payload,
                            std::uint64_t index) {
    if (buffer.size() < size + rtp_overhead()) return std::unexpected(Fault::no_room);
    const auto header = buffer.first(payload);
    const auto text = buffer.subspan(payload, size - payload);
    if (auto* const aead = rtp_.aead()) {
        const auto nonce = aead->rtp_nonce(load32(buffer, 8), index);
        if (!aead->seal(nonce, header, {}, text, buffer.subspan(size, rtp_tag_))) {
            return std::unexpected(Fault::cipher_failed);
        }
        put_mki(buffer, size + rtp_tag_);
        return size + rtp_overhead();
    }
    if (policy_.encrypt_rtp && !rtp_.keystream().apply_rtp(header, index, text)) {
        return std::unexpected(Fault::cipher_failed);
    }
    put_mki(buffer, size);
    if (rtp_tag_ > 0) {
        const auto tag = rtp_.hmac.of(buffer.first(size), rollover_of(index));
        std::copy_n(tag.begin(), rtp_tag_, buffer.subspan(size + mki_.size()).begin());
    }
    return size + rtp_overhead();
}

Size Transform::unprotect_rtp(MutableBytes packet, std::size_t payload, std::uint64_t index) {
    if (packet.size() < payload + rtp_overhead()) return std::unexpected(Fault::malformed);
    const std::size_t size = packet.size() - rtp_overhead();
    const auto header = packet.first(payload);
    const auto text = packet.subspan(payload, size - payload);
    if (auto* const aead = rtp_.aead()) {
        const auto nonce = aead->rtp_nonce(load32(packet, 8), index);
        if (!aead->open(nonce, header, {}, text, packet.subspan(size, rtp_tag_))) {
            return std::unexpected(Fault::not_authentic);
        }
        return size;
    }
    if (rtp_tag_ > 0) {
        const auto tag = rtp_.hmac.of(packet.first(size), rollover_of(index));
        if (!same(packet.last(rtp_tag_), tag)) return std::unexpected(Fault::not_authentic);
    }
    if (policy_.encrypt_rtp && !rtp_.keystream().apply_rtp(header, index, text)) {
        return std::unexpected(Fault::cipher_failed);
    }
    return size;
}

Size Transform::protect_rtcp(MutableBytes buffer, std::size_t size, std::uint32_t index) {
    if (buffer.size() < size + rtcp_overhead()) return std::unexpected(Fault::no_room);
    const auto header = buffer.first(rtcp_header_size);
    const auto text = buffer.subspan(rtcp_header_size, size - rtcp_header_size);
    const std::uint32_t word = index | (policy_.encrypt_rtcp ? encrypted_flag : 0);
    if (auto* const aead = rtcp_.aead()) {  // text, tag, index, MKI
        const auto nonce = aead->rtcp_nonce(load32(buffer, 4), index);
        const auto tag = buffer.subspan(size, rtcp_tag_);
        const bool sealed = policy_.encrypt_rtcp
                                ? aead->seal(nonce, header, word_of(word), text, tag)
                                : aead->seal(nonce, buffer.first(size), word_of(word), {}, tag);
        if (!sealed) return std::unexpected(Fault::cipher_failed);
        store32(buffer, size + rtcp_tag_, word);
        put_mki(buffer, size + rtcp_tag_ + rtcp_index_size);
        return size + rtcp_overhead();
    }
    if (policy_.encrypt_rtcp && !rtcp_.keystream().apply_rtcp(header, word, text)) {
        return std::unexpected(Fault::cipher_failed);
    }
    store32(buffer, size, word);  // text, index, MKI, tag
    put_mki(buffer, size + rtcp_index_size);
    const auto tag = rtcp_.hmac.of(buffer.first(size + rtcp_index_size), {});
    const auto place = buffer.subspan(size + rtcp_index_size + mki_.size(), rtcp_tag_);
    std::copy_n(tag.begin(), rtcp_tag_, place.begin());
    return size + rtcp_overhead();
}

Size Transform::unprotect_rtcp(MutableBytes packet) {
    if (packet.size() < rtcp_header_size + rtcp_overhead()) {
        return std::unexpected(Fault::malformed);
    }
    const std::size_t size = packet.size() - rtcp_overhead();
    const std::uint32_t word = rtcp_word(packet);
    // The flag of the packet decides, not the policy: the sender's tag vouches for it.
    const bool encrypted = (word & encrypted_flag) != 0;
    const auto header = packet.first(rtcp_header_size);
    const auto text = packet.subspan(rtcp_header_size, size - rtcp_header_size);
    if (auto* const aead = rtcp_.aead()) {
        const auto nonce = aead->rtcp_nonce(load32(packet, 4), word & ~encrypted_flag);
        const auto tag = packet.subspan(size, rtcp_tag_);
        const bool opened = encrypted
                                ? aead->open(nonce, header, word_of(word), text, tag)
                                : aead->open(nonce, packet.first(size), word_of(word), {}, tag);
        if (!opened) return std::unexpected(Fault::not_authentic);
        return size;
    }
    const auto tag = rtcp_.hmac.of(packet.first(size + rtcp_index_size), {});
    if (!same(packet.last(rtcp_tag_), tag)) return std::unexpected(Fault::not_authentic);
    if (encrypted && !rtcp_.keystream().apply_rtcp(header, word, text)) {
        return std::unexpected(Fault::cipher_failed);
    }
    return size;
}

bool Transform::identifies_rtp(Bytes packet) const {
    const std::size_t behind = is_aead() ? 0 : rtp_tag_;
    return std::ranges::equal(packet.last(behind + mki_.size()).first(mki_.size()), mki_);
}

bool Transform::identifies_rtcp(Bytes packet) const {
    const std::size_t behind = is_aead() ? 0 : rtcp_tag_;
    return std::ranges::equal(packet.last(behind + mki_.size()).first(mki_.size()), mki_);
}

std::uint32_t Transform::rtcp_word(Bytes packet) const {
    const std::size_t size = packet.size() - rtcp_overhead();
    return load32(packet, is_aead() ? size + rtcp_tag_ : size);
}

}  // namespace strowger::srtp
