#pragma once

#include <cstdint>

namespace strowger::ice {

/// Who nominates (RFC 8445 section 6.1.1): the controlling side, which is the offerer or, beside a
/// lite peer, the full one.
enum class Role : std::uint8_t { controlled, controlling };

constexpr Role opposite(Role role) {
    return role == Role::controlled ? Role::controlling : Role::controlled;
}

}  // namespace strowger::ice
