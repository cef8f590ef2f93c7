#pragma once

#include <cstdint>
#include <span>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "wire/ice/generation.hpp"
#include "wire/ice/role.hpp"
#include "wire/stun/attribute.hpp"
#include "wire/stun/integrity.hpp"
#include "wire/stun/transaction_id.hpp"

namespace strowger::ice {

/// The Binding messages of ICE, written into bytes given to them (RFC 8445 sections 7.1 to 7.3 and
/// 11). The result is what was written; nothing if it did not fit.

struct Check {
    stun::TransactionId transaction;
    std::uint32_t priority = 0;
    Role role = Role::controlled;
    std::uint64_t tie_breaker = 0;
    bool nominates = false;
};
Bytes write_check(MutableBytes out, const Check& check, const Generation& generation);

Bytes write_answer(MutableBytes out, const stun::TransactionId& transaction,
                   const SocketAddress& mapped, const stun::IntegrityKey& key,
                   stun::Integrity integrity);

/// `key` is nothing for what could not be authenticated (RFC 8489 section 9.1.3).
Bytes write_refusal(MutableBytes out, const stun::TransactionId& transaction, std::uint16_t code,
                    std::span<const stun::AttributeType> unknown, const stun::IntegrityKey* key,
                    stun::Integrity integrity);

/// A keep-alive where no checks go.
Bytes write_indication(MutableBytes out, const stun::TransactionId& transaction);

}  // namespace strowger::ice
