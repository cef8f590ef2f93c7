#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "wire/stun/attribute.hpp"
#include "wire/stun/transaction_id.hpp"

namespace strowger::stun {

constexpr std::size_t header_size = 20;
constexpr std::uint32_t magic_cookie = 0x2112a442;

enum class Class : std::uint8_t { request, indication, success, error };

enum class Method : std::uint16_t {
    binding = 0x001,
    allocate = 0x003,
    refresh = 0x004,
    send = 0x006,
    data = 0x007,
    create_permission = 0x008,
    channel_bind = 0x009,
};

/// Why bytes are no STUN message. An enumeration, as garbage must not allocate.
enum class Fault : std::uint8_t {
    too_short,
    not_stun,    ///< by its first byte
    bad_cookie,  ///< also the STUN of RFC 3489, which ICE never spoke
    bad_length,
    attribute_overrun,
    too_many_attributes,
    bad_fingerprint  ///< of the wrong size, not the last, or not the message's
};
std::string_view text_of(Fault fault);

/// What lies above belongs to ZRTP, DTLS and RTP (RFC 7983), and so there are no methods above
/// 0x0ff.
constexpr std::uint8_t max_first_byte = 3;

/// May these bytes be STUN (RFC 7983, RFC 8489 section 6.3)? Header only; parse says for certain.
inline bool looks_like_stun(Bytes datagram) {
    return datagram.size() >= header_size && datagram[0] <= max_first_byte &&
           load32(datagram, 4) == magic_cookie;
}

struct ErrorCode {
    std::uint16_t code = 0;
    std::string_view reason;
};

/// A STUN message over the datagram it came in (RFC 8489 section 5). Borrows; allocates nothing.
///
/// A FINGERPRINT has been checked by `parse`; integrity is for IntegrityKey::verifies. Attributes
/// after the integrity are not seen by `find`, as nothing protects them (section 14.5).
class Message {
public:
    static constexpr std::size_t max_attributes = 64;  ///< peers use ten; look-ups are linear

    static std::expected<Message, Fault> parse(Bytes datagram);

    Class message_class() const { return class_; }
    Method method() const { return method_; }
    bool is(Class c, Method m) const { return class_ == c && method_ == m; }
    TransactionId transaction() const;
    bool has_fingerprint() const { return has_fingerprint_; }
    bool has_integrity() const { return sha1_at_ != 0 || sha256_at_ != 0; }

    std::optional<Bytes> find(AttributeType type) const;
    std::optional<std::string_view> text(AttributeType type) const;
    std::optional<std::uint32_t> number(AttributeType type) const;       ///< four bytes
    std::optional<std::uint64_t> long_number(AttributeType type) const;  ///< eight bytes
    std::optional<SocketAddress> xor_address(AttributeType type) const;
    std::optional<SocketAddress> plain_address(AttributeType type) const;

    std::optional<std::string_view> username() const { return text(AttributeType::username); }
    std::optional<std::uint32_t> priority() const { return number(AttributeType::priority); }
    bool use_candidate() const { return find(AttributeType::use_candidate).has_value(); }
    /// From XOR-MAPPED-ADDRESS, or else from MAPPED-ADDRESS, as old servers have only that.
    std::optional<SocketAddress> mapped_address() const;
    std::optional<ErrorCode> error() const;

    /// Puts types that must be understood and are not known into `types`, as many as there is room
    /// for; answers how many.
    std::size_t unknown_required(std::span<AttributeType> types) const;

    /// The attributes before the integrity, in their order.
    class Iterator {
    public:
        Iterator(Bytes message, std::size_t at) : message_(message), at_(at) {}
        Attribute operator*() const;
        Iterator& operator++();
        bool operator==(const Iterator& other) const { return at_ == other.at_; }

    private:
        Bytes message_;
        std::size_t at_;
    };
    Iterator begin() const { return {bytes_, header_size}; }
    Iterator end() const { return {bytes_, protected_end_}; }

    Bytes bytes() const { return bytes_; }

private:
    friend class IntegrityKey;

    std::optional<Fault> index_attributes();
    std::optional<Fault> note(AttributeType type, std::size_t at, std::size_t size);

    Bytes bytes_;
    Class class_{};
    Method method_{};
    bool has_fingerprint_ = false;
    std::size_t protected_end_ =
        0;                       ///< where the integrity, the fingerprint or the message ends it
    std::size_t sha1_at_ = 0;    ///< where MESSAGE-INTEGRITY stands; 0: nowhere
    std::size_t sha256_at_ = 0;  ///< the same of MESSAGE-INTEGRITY-SHA256
};

}  // namespace strowger::stun
