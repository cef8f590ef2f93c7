#include "wire/datachannel/dcep.hpp"

#include <algorithm>

namespace strowger::datachannel {
namespace {

using Policy = sctp::Reliability::Policy;

// Section 5.1: type, channel type, priority, reliability parameter, two lengths.
constexpr std::size_t head = 12;
constexpr std::uint8_t unordered_bit = 0x80;

}  // namespace

Result<Settings> parse_open(Bytes message) {
    if (message.size() < head || message[0] != open_type) {
        return fail("DCEP: {} bytes are no DATA_CHANNEL_OPEN", message.size());
    }
    const std::size_t label = load16(message, 8);
    const std::size_t protocol = load16(message, 10);
    if (label > max_text || protocol > max_text) {
        return fail("DCEP: label and protocol of {} and {} bytes; at most {} are taken", label,
                    protocol, max_text);
    }
    if (message.size() != head + label + protocol) {
        return fail("DCEP: label and protocol of {} and {} bytes, but {} follow", label, protocol,
                    message.size() - head);
    }
    Settings settings;
    settings.ordered = !(message[1] & unordered_bit);
    const auto policy = static_cast<std::uint8_t>(message[1] & ~unordered_bit);
    if (policy > 2) return fail("DCEP: unknown channel type {:#04x}", message[1]);
    settings.reliability.policy = static_cast<Policy>(policy);
    if (policy != 0) settings.reliability.limit = load32(message, 4);
    settings.priority = load16(message, 2);
    settings.label = as_text(message.subspan(head, label));
    settings.protocol = as_text(message.subspan(head + label));
    return settings;
}

std::vector<std::uint8_t> write_open(const Settings& settings) {
    const auto label = as_bytes(settings.label).first(std::min(settings.label.size(), max_text));
    const auto protocol =
        as_bytes(settings.protocol).first(std::min(settings.protocol.size(), max_text));
    std::vector<std::uint8_t> message(head);
    message[0] = open_type;
    message[1] = static_cast<std::uint8_t>(static_cast<std::uint8_t>(settings.reliability.policy) |
                                           (settings.ordered ? 0 : unordered_bit));
    store16(message, 2, settings.priority);
    store32(message, 4, settings.reliability.limit);
    store16(message, 8, static_cast<std::uint16_t>(label.size()));
    store16(message, 10, static_cast<std::uint16_t>(protocol.size()));
    message.insert(message.end(), label.begin(), label.end());
    message.insert(message.end(), protocol.begin(), protocol.end());
    return message;
}

}  // namespace strowger::datachannel
