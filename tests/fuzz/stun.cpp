#include <cstdlib>

#include "wire/stun/builder.hpp"

using namespace strowger;
using namespace strowger::stun;

/// A datagram through every view of it; what can be read can be written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const IntegrityKey key = IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBt");
    const auto message = Message::parse({data, size});
    if (!message) return 0;
    if (!looks_like_stun({data, size})) std::abort();
    (void)key.verifies(*message);
    (void)message->error();
    (void)message->mapped_address();
    (void)message->xor_address(AttributeType::xor_peer_address);
    std::array<AttributeType, 4> unknown;
    (void)message->unknown_required(unknown);

    std::array<std::uint8_t, 70000> buffer;
    Builder out(buffer, message->message_class(), message->method(), message->transaction());
    std::size_t count = 0;
    for (const Attribute attribute : *message) {
        out.attribute(attribute.type, attribute.value);
        ++count;
    }
    if (count > Message::max_attributes) std::abort();
    const Bytes written =
        out.integrity(key).integrity(key, Integrity::sha256).fingerprint().finish();
    if (written.empty()) return 0;  // longer than a message can be
    const auto again = Message::parse(written);
    if (!again) {
        if (count + 3 <= Message::max_attributes) std::abort();
        return 0;
    }
    if (key.verifies(*again) != Integrity::sha256) std::abort();
    if (again->message_class() != message->message_class()) std::abort();
    if (again->method() != message->method()) std::abort();
    return 0;
}
