#include "wire/ice/binding.hpp"

#include "wire/stun/builder.hpp"

namespace strowger::ice {

using stun::AttributeType;
using stun::Builder;
using stun::Class;
using stun::Method;

namespace {

std::string_view reason_of(std::uint16_t code) {
    switch (code) {
        case 400: return "Bad Request";
        case 401: return "Unauthenticated";
        case 420: return "Unknown Attribute";
        case 487: return "Role Conflict";
    }
    return "";
}

}  // namespace

Bytes write_check(MutableBytes out, const Check& check, const Generation& generation) {
    Builder message(out, Class::request, Method::binding, check.transaction);
    message.text(AttributeType::username, generation.username)
        .number(AttributeType::priority, check.priority)
        .long_number(check.role == Role::controlling ? AttributeType::ice_controlling
                                                     : AttributeType::ice_controlled,
                     check.tie_breaker);
    if (check.nominates) message.flag(AttributeType::use_candidate);
    return message.integrity(generation.remote_key).fingerprint().finish();
}

Bytes write_answer(MutableBytes out, const stun::TransactionId& transaction,
                   const SocketAddress& mapped, const stun::IntegrityKey& key,
                   stun::Integrity integrity) {
    return Builder(out, Class::success, Method::binding, transaction)
        .xor_address(AttributeType::xor_mapped_address, mapped)
        .integrity(key, integrity)
        .fingerprint()
        .finish();
}

Bytes write_refusal(MutableBytes out, const stun::TransactionId& transaction, std::uint16_t code,
                    std::span<const AttributeType> unknown, const stun::IntegrityKey* key,
                    stun::Integrity integrity) {
    Builder message(out, Class::error, Method::binding, transaction);
    message.error(code, reason_of(code));
    if (!unknown.empty()) message.unknown_attributes(unknown);
    if (key) message.integrity(*key, integrity);
    return message.fingerprint().finish();
}

Bytes write_indication(MutableBytes out, const stun::TransactionId& transaction) {
    return Builder(out, Class::indication, Method::binding, transaction).fingerprint().finish();
}

}  // namespace strowger::ice
