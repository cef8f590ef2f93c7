#pragma once

#include <array>
#include <optional>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "wire/stun/transaction_id.hpp"

namespace strowger::stun {

/// The value of MAPPED-ADDRESS and of its XOR forms (RFC 8489 sections 14.1 and 14.2). The XOR
/// hides addresses from middleboxes that would rewrite every one they see.
class AddressValue {
public:
    static AddressValue plain(const SocketAddress& address);
    static AddressValue xored(const SocketAddress& address, const TransactionId& transaction);
    Bytes bytes() const { return Bytes(bytes_).first(size_); }

    /// Nothing when the family is unknown or the size is not that of its family.
    static std::optional<SocketAddress> read_plain(Bytes value);
    static std::optional<SocketAddress> read_xored(Bytes value, const TransactionId& transaction);

private:
    std::array<std::uint8_t, 20> bytes_{};
    std::size_t size_ = 0;
};

}  // namespace strowger::stun
