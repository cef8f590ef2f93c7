#include "wire/stun/message.hpp"

#include <algorithm>

#include "wire/stun/address_attribute.hpp"
#include "wire/stun/fingerprint.hpp"

namespace strowger::stun {
namespace {

constexpr std::size_t transaction_at = 8;

// Section 5: the two bits of the class stand between those of the method.
Class class_of(std::uint16_t type) { return static_cast<Class>((type >> 4 & 1) | (type >> 7 & 2)); }

Method method_of(std::uint16_t type) {
    return static_cast<Method>((type & 0x000f) | (type >> 1 & 0x0070) | (type >> 2 & 0x0f80));
}

}  // namespace

std::string_view text_of(Fault fault) {
    switch (fault) {
        case Fault::too_short: return "shorter than a STUN header";
        case Fault::not_stun: return "the first byte is not one of STUN";
        case Fault::bad_cookie: return "no magic cookie";
        case Fault::bad_length: return "the length is not that of the datagram";
        case Fault::attribute_overrun: return "an attribute reaches beyond the message";
        case Fault::too_many_attributes: return "too many attributes";
        case Fault::bad_fingerprint: return "the fingerprint is wrong or not at the end";
    }
    return "";
}

std::expected<Message, Fault> Message::parse(Bytes datagram) {
    if (datagram.size() < header_size) return std::unexpected(Fault::too_short);
    if (datagram[0] > max_first_byte) return std::unexpected(Fault::not_stun);
    if (load32(datagram, 4) != magic_cookie) return std::unexpected(Fault::bad_cookie);
    const std::size_t length = load16(datagram, 2);
    if (length % 4 != 0 || header_size + length != datagram.size()) {
        return std::unexpected(Fault::bad_length);
    }
    Message message;
    message.bytes_ = datagram;
    const auto type = load16(datagram, 0);
    message.class_ = class_of(type);
    message.method_ = method_of(type);
    if (const auto fault = message.index_attributes()) return std::unexpected(*fault);
    return message;
}

std::optional<Fault> Message::index_attributes() {
    std::size_t at = header_size;
    for (std::size_t count = 0; at < bytes_.size(); ++count) {
        if (count == max_attributes) return Fault::too_many_attributes;
        const auto type = static_cast<AttributeType>(load16(bytes_, at));
        const std::size_t size = load16(bytes_, at + 2);
        const std::size_t next = at + Attribute::header_size + Attribute::padded(size);
        if (next > bytes_.size()) return Fault::attribute_overrun;
        if (const auto fault = note(type, at, size)) return fault;
        at = next;
    }
    if (protected_end_ == 0) protected_end_ = bytes_.size();
    return std::nullopt;
}

// Sections 14.5 to 14.7: after MESSAGE-INTEGRITY only that of SHA-256 counts, after both only the
// fingerprint, and after the fingerprint nothing may come.
std::optional<Fault> Message::note(AttributeType type, std::size_t at, std::size_t size) {
    if (type == AttributeType::fingerprint) {
        if (size != 4 || at + Attribute::header_size + size != bytes_.size() ||
            load32(bytes_, at + Attribute::header_size) != fingerprint_of(bytes_.first(at))) {
            return Fault::bad_fingerprint;
        }
        has_fingerprint_ = true;
        if (protected_end_ == 0) protected_end_ = at;
    } else if (type == AttributeType::message_integrity && !has_integrity()) {
        sha1_at_ = at;
        protected_end_ = at;
    } else if (type == AttributeType::message_integrity_sha256 && sha256_at_ == 0) {
        sha256_at_ = at;
        if (protected_end_ == 0) protected_end_ = at;
    }
    return std::nullopt;
}

TransactionId Message::transaction() const {
    TransactionId id;
    std::copy_n(bytes_.begin() + transaction_at, id.bytes.size(), id.bytes.begin());
    return id;
}

Attribute Message::Iterator::operator*() const {
    return {static_cast<AttributeType>(load16(message_, at_)),
            message_.subspan(at_ + Attribute::header_size, load16(message_, at_ + 2))};
}

Message::Iterator& Message::Iterator::operator++() {
    at_ += Attribute::header_size + Attribute::padded(load16(message_, at_ + 2));
    return *this;
}

std::optional<Bytes> Message::find(AttributeType type) const {
    for (const Attribute attribute : *this) {
        if (attribute.type == type) return attribute.value;
    }
    return std::nullopt;
}

std::optional<std::string_view> Message::text(AttributeType type) const {
    const auto value = find(type);
    return value ? std::optional(as_text(*value)) : std::nullopt;
}

std::optional<std::uint32_t> Message::number(AttributeType type) const {
    const auto value = find(type);
    if (!value || value->size() != 4) return std::nullopt;
    return load32(*value, 0);
}

std::optional<std::uint64_t> Message::long_number(AttributeType type) const {
    const auto value = find(type);
    if (!value || value->size() != 8) return std::nullopt;
    return std::uint64_t{load32(*value, 0)} << 32 | load32(*value, 4);
}

std::optional<SocketAddress> Message::xor_address(AttributeType type) const {
    const auto value = find(type);
    return value ? AddressValue::read_xored(*value, transaction()) : std::nullopt;
}

std::optional<SocketAddress> Message::plain_address(AttributeType type) const {
    const auto value = find(type);
    return value ? AddressValue::read_plain(*value) : std::nullopt;
}

std::optional<SocketAddress> Message::mapped_address() const {
    if (const auto address = xor_address(AttributeType::xor_mapped_address)) return address;
    return plain_address(AttributeType::mapped_address);
}

// Section 14.8: hundreds in three bits, the rest in a byte.
std::optional<ErrorCode> Message::error() const {
    const auto value = find(AttributeType::error_code);
    if (!value || value->size() < 4) return std::nullopt;
    const unsigned hundreds = (*value)[2] & 7;
    const unsigned rest = (*value)[3];
    if (hundreds < 3 || hundreds > 6 || rest > 99) return std::nullopt;
    return ErrorCode{static_cast<std::uint16_t>(hundreds * 100 + rest), as_text(value->subspan(4))};
}

std::size_t Message::unknown_required(std::span<AttributeType> types) const {
    std::size_t count = 0;
    for (const Attribute attribute : *this) {
        if (count == types.size()) break;
        if (!comprehension_required(attribute.type) || is_known(attribute.type)) continue;
        types[count++] = attribute.type;
    }
    return count;
}

}  // namespace strowger::stun
