#include "wire/stun/builder.hpp"

#include <algorithm>
#include <array>

#include "wire/stun/address_attribute.hpp"
#include "wire/stun/fingerprint.hpp"

namespace strowger::stun {
namespace {

constexpr std::size_t max_size = header_size + 0xffff;  ///< what the length can say

std::uint16_t type_of(Class message_class, Method method) {
    const auto c = static_cast<unsigned>(message_class);
    const auto m = static_cast<unsigned>(method);
    return static_cast<std::uint16_t>((m & 0x000f) | (m & 0x0070) << 1 | (m & 0x0f80) << 2 |
                                      (c & 1) << 4 | (c & 2) << 7);
}

}  // namespace

Builder::Builder(MutableBytes out, Class message_class, Method method,
                 const TransactionId& transaction, std::uint8_t padding)
    : out_(out.first(std::min(out.size(), max_size))),
      transaction_(transaction),
      padding_(padding) {
    if (out_.size() < header_size) {
        failed_ = true;
        return;
    }
    store16(out_, 0, type_of(message_class, method));
    store16(out_, 2, 0);
    store32(out_, 4, magic_cookie);
    std::copy(transaction.bytes.begin(), transaction.bytes.end(), out_.begin() + 8);
    size_ = header_size;
}

/// The room for a value of that size, its header written and the message's length brought up to
/// date; empty, as the failure is noted, when there is none.
MutableBytes Builder::append(AttributeType type, std::size_t size) {
    const std::size_t padded = Attribute::padded(size);
    if (failed_ || size > 0xffff || size_ + Attribute::header_size + padded > out_.size()) {
        failed_ = true;
        return {};
    }
    store16(out_, size_, static_cast<std::uint16_t>(type));
    store16(out_, size_ + 2, static_cast<std::uint16_t>(size));
    const MutableBytes room = out_.subspan(size_ + Attribute::header_size, padded);
    std::fill(room.begin() + static_cast<std::ptrdiff_t>(size), room.end(), padding_);
    size_ += Attribute::header_size + padded;
    store16(out_, 2, static_cast<std::uint16_t>(size_ - header_size));
    return room.first(size);
}

Builder& Builder::attribute(AttributeType type, Bytes value) {
    const auto room = append(type, value.size());
    if (!failed_) std::copy(value.begin(), value.end(), room.begin());
    return *this;
}

Builder& Builder::number(AttributeType type, std::uint32_t value) {
    if (const auto room = append(type, 4); !failed_) store32(room, 0, value);
    return *this;
}

Builder& Builder::long_number(AttributeType type, std::uint64_t value) {
    if (const auto room = append(type, 8); !failed_) {
        store32(room, 0, static_cast<std::uint32_t>(value >> 32));
        store32(room, 4, static_cast<std::uint32_t>(value));
    }
    return *this;
}

Builder& Builder::xor_address(AttributeType type, const SocketAddress& address) {
    return attribute(type, AddressValue::xored(address, transaction_).bytes());
}

Builder& Builder::plain_address(AttributeType type, const SocketAddress& address) {
    return attribute(type, AddressValue::plain(address).bytes());
}

Builder& Builder::error(std::uint16_t code, std::string_view reason) {
    if (const auto room = append(AttributeType::error_code, 4 + reason.size()); !failed_) {
        store16(room, 0, 0);
        room[2] = static_cast<std::uint8_t>(code / 100);
        room[3] = static_cast<std::uint8_t>(code % 100);
        std::copy(reason.begin(), reason.end(), room.begin() + 4);
    }
    return *this;
}

Builder& Builder::unknown_attributes(std::span<const AttributeType> types) {
    if (const auto room = append(AttributeType::unknown_attributes, 2 * types.size()); !failed_) {
        for (std::size_t i = 0; i < types.size(); ++i) {
            store16(room, 2 * i, static_cast<std::uint16_t>(types[i]));
        }
    }
    return *this;
}

Builder& Builder::integrity(const IntegrityKey& key, Integrity kind) {
    if (kind == Integrity::none) return *this;
    const auto before = size_;
    const bool long_form = kind == Integrity::sha256;
    const auto room = append(
        long_form ? AttributeType::message_integrity_sha256 : AttributeType::message_integrity,
        long_form ? SHA256_DIGEST_LENGTH : SHA_DIGEST_LENGTH);
    if (failed_) return *this;
    const auto covered = static_cast<std::uint16_t>(size_ - header_size);
    const auto put = [&](const auto& digest) {
        std::copy(digest.begin(), digest.end(), room.begin());
    };
    if (long_form) {
        put(key.sha256(out_.first(before), covered));
    } else {
        put(key.sha1(out_.first(before), covered));
    }
    return *this;
}

Builder& Builder::fingerprint() {
    const auto before = size_;
    if (const auto room = append(AttributeType::fingerprint, 4); !failed_) {
        store32(room, 0, fingerprint_of(out_.first(before)));
    }
    return *this;
}

}  // namespace strowger::stun
