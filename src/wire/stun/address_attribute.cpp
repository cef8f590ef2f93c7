#include "wire/stun/address_attribute.hpp"

#include <algorithm>

#include "wire/stun/message.hpp"

namespace strowger::stun {
namespace {

constexpr std::uint8_t family_v4 = 1;
constexpr std::uint8_t family_v6 = 2;
constexpr std::size_t address_at = 4;

/// The cookie and the transaction, which port and address are combined with.
void apply_mask(MutableBytes value, const TransactionId& transaction) {
    std::array<std::uint8_t, 16> mask{};
    store32(mask, 0, magic_cookie);
    std::copy(transaction.bytes.begin(), transaction.bytes.end(), mask.begin() + 4);
    value[2] ^= mask[0];
    value[3] ^= mask[1];
    for (std::size_t i = address_at; i < value.size(); ++i) value[i] ^= mask[i - address_at];
}

}  // namespace

AddressValue AddressValue::plain(const SocketAddress& address) {
    AddressValue value;
    value.bytes_[1] = address.ip.is_v4() ? family_v4 : family_v6;
    store16(value.bytes_, 2, address.port);
    std::copy_n(address.ip.data(), address.ip.size(), value.bytes_.begin() + address_at);
    value.size_ = address_at + address.ip.size();
    return value;
}

AddressValue AddressValue::xored(const SocketAddress& address, const TransactionId& transaction) {
    AddressValue value = plain(address);
    apply_mask(MutableBytes(value.bytes_).first(value.size_), transaction);
    return value;
}

std::optional<SocketAddress> AddressValue::read_plain(Bytes value) {
    if (value.size() < address_at) return std::nullopt;
    const auto port = load16(value, 2);
    const Bytes ip = value.subspan(address_at);
    if (value[1] == family_v4 && ip.size() == 4) {
        return SocketAddress{IpAddress::v4({ip[0], ip[1], ip[2], ip[3]}), port};
    }
    if (value[1] == family_v6 && ip.size() == 16) {
        std::array<std::uint8_t, 16> sixteen;
        std::copy(ip.begin(), ip.end(), sixteen.begin());
        return SocketAddress{IpAddress::v6(sixteen), port};
    }
    return std::nullopt;
}

std::optional<SocketAddress> AddressValue::read_xored(Bytes value,
                                                      const TransactionId& transaction) {
    std::array<std::uint8_t, 20> copy{};
    if (value.size() < address_at || value.size() > copy.size()) return std::nullopt;
    std::copy(value.begin(), value.end(), copy.begin());
    apply_mask(MutableBytes(copy).first(value.size()), transaction);
    return read_plain(Bytes(copy).first(value.size()));
}

}  // namespace strowger::stun
