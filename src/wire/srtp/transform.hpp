#pragma once

#include <expected>
#include <variant>
#include <vector>

#include "wire/srtp/aead.hpp"
#include "wire/srtp/fault.hpp"
#include "wire/srtp/hmac_sha1.hpp"
#include "wire/srtp/keystream.hpp"
#include "wire/srtp/policy.hpp"

namespace strowger::srtp {

using Size = std::expected<std::size_t, Fault>;  ///< the new size of a packet

constexpr std::size_t rtcp_header_size = 8;
constexpr std::size_t rtcp_index_size = 4;
constexpr std::uint32_t encrypted_flag = 0x80000000;  ///< E, in the word of the SRTCP index

/// Where the payload of an RTP packet begins. The rest of it is not looked at: it may be cipher.
Size payload_offset(Bytes packet);

/// What one master key does to packets: encrypts and tags, or checks and decrypts, in place.
///
/// It keeps the cipher and MAC contexts and knows no state of streams: the owner says the index.
/// Layouts: RFC 3711 figures 1 and 2, RFC 7714 figures 1 and 2.
class Transform {
public:
    enum class Use : std::uint8_t { protect, unprotect };

    Transform(const Policy& policy, const IdentifiedKey& key, Use use);

    /// The packet is the first `size` bytes of `buffer`; what it grows by must have room behind.
    Size protect_rtp(MutableBytes buffer, std::size_t size, std::size_t payload,
                     std::uint64_t index);
    Size protect_rtcp(MutableBytes buffer, std::size_t size, std::uint32_t index);

    /// On a fault the bytes may be garbage.
    Size unprotect_rtp(MutableBytes packet, std::size_t payload, std::uint64_t index);
    Size unprotect_rtcp(MutableBytes packet);

    std::size_t rtp_overhead() const { return rtp_tag_ + mki_.size(); }
    std::size_t rtcp_overhead() const { return rtcp_tag_ + rtcp_index_size + mki_.size(); }

    /// The packet, which is long enough for its overhead, carries this key's identifier.
    bool identifies_rtp(Bytes packet) const;
    bool identifies_rtcp(Bytes packet) const;
    /// The word with E and the SRTCP index, of a packet that is long enough for its overhead.
    std::uint32_t rtcp_word(Bytes packet) const;

private:
    struct Half {  ///< for one kind of packets
        Half(const SuiteInfo& info, const SessionKeys& keys, Use use);
        Aead* aead() { return std::get_if<Aead>(&cipher); }
        Keystream& keystream() { return std::get<Keystream>(cipher); }

        std::variant<Aead, Keystream> cipher;
        HmacSha1 hmac;  ///< of no use with Aead
    };

    bool is_aead() const { return info_of(policy_.suite).cipher == Cipher::aes_gcm; }
    void put_mki(MutableBytes buffer, std::size_t at) const;

    Policy policy_;
    std::vector<std::uint8_t> mki_;
    std::uint8_t rtp_tag_;
    std::uint8_t rtcp_tag_;
    Half rtp_;
    Half rtcp_;
};

}  // namespace strowger::srtp
