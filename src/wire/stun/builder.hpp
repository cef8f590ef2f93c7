#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "wire/stun/attribute.hpp"
#include "wire/stun/integrity.hpp"
#include "wire/stun/message.hpp"
#include "wire/stun/transaction_id.hpp"

namespace strowger::stun {

/// Writes a message into bytes given to it; allocates nothing.
///
///     Builder out(buffer, Class::success, Method::binding, request.transaction());
///     out.xor_address(AttributeType::xor_mapped_address, from).integrity(key).fingerprint();
///     if (Bytes bytes = out.finish(); !bytes.empty()) send(bytes);
///
/// What does not fit makes the whole empty rather than half a message.
class Builder {
public:
    /// `padding` fills attributes up to four bytes: zeros, as RFC 8489 section 14 has it.
    Builder(MutableBytes out, Class message_class, Method method, const TransactionId& transaction,
            std::uint8_t padding = 0);

    Builder& attribute(AttributeType type, Bytes value);
    Builder& text(AttributeType type, std::string_view value) {
        return attribute(type, as_bytes(value));
    }
    Builder& number(AttributeType type, std::uint32_t value);
    Builder& long_number(AttributeType type, std::uint64_t value);
    Builder& flag(AttributeType type) { return attribute(type, {}); }
    Builder& xor_address(AttributeType type, const SocketAddress& address);
    Builder& plain_address(AttributeType type, const SocketAddress& address);
    Builder& error(std::uint16_t code, std::string_view reason);
    Builder& unknown_attributes(std::span<const AttributeType> types);

    /// Protects what was written so far; only the fingerprint and a second integrity may follow.
    Builder& integrity(const IntegrityKey& key, Integrity kind = Integrity::sha1);
    Builder& fingerprint();

    /// What was written, or nothing if something did not fit.
    Bytes finish() const { return failed_ ? Bytes{} : Bytes(out_).first(size_); }

private:
    MutableBytes append(AttributeType type, std::size_t size);

    MutableBytes out_;
    std::size_t size_ = 0;
    TransactionId transaction_;
    std::uint8_t padding_;
    bool failed_ = false;
};

}  // namespace strowger::stun
