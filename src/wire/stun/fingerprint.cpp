#include "wire/stun/fingerprint.hpp"

#include <array>

namespace strowger::stun {
namespace {

constexpr std::size_t at_once = 8;
using Tables = std::array<std::array<std::uint32_t, 256>, at_once>;

/// tables[k][b]: what byte b contributes when k more bytes follow it in the step.
constexpr Tables make_tables() {
    Tables tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        tables[0][byte] = crc;
    }
    for (std::size_t k = 1; k < at_once; ++k) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const auto before = tables[k - 1][byte];
            tables[k][byte] = before >> 8 ^ tables[0][before & 0xff];
        }
    }
    return tables;
}

constexpr Tables tables = make_tables();

}  // namespace

std::uint32_t crc32(Bytes bytes) {
    std::uint32_t crc = 0xffffffff;
    std::size_t at = 0;
    for (; at + at_once <= bytes.size(); at += at_once) {
        std::uint32_t next = 0;
        for (std::size_t i = 0; i < at_once; ++i) {
            const auto byte = i < 4 ? bytes[at + i] ^ (crc >> (8 * i) & 0xff) : bytes[at + i];
            next ^= tables[at_once - 1 - i][byte];
        }
        crc = next;
    }
    for (; at < bytes.size(); ++at) crc = crc >> 8 ^ tables[0][(crc ^ bytes[at]) & 0xff];
    return ~crc;
}

}  // namespace strowger::stun
