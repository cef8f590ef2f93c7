#pragma once

#include <string_view>

#include "wire/sip/message.hpp"

namespace strowger::sip {

/// The session description in a message: its body, or the first part of that type in a multipart
/// body (RFC 5621). Empty when there is none.
std::string_view sdp_body(const Message& message);

/// Whether the message has a body that is neither SDP nor holds any.
bool has_foreign_body(const Message& message);

}  // namespace strowger::sip
