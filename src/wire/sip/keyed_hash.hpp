#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace strowger::sip {

/// SipHash-2-4 (Aumasson and Bernstein, 2012): a hash that strangers, who choose branches and
/// Call-IDs, cannot steer into one bucket as long as the key is secret.
std::uint64_t keyed_hash(const std::array<std::uint64_t, 2>& key, std::string_view text);

}  // namespace strowger::sip
