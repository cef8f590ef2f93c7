#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace strowger::sip {

/// The answer to a request that `Message::parse` refused with that error (section 8.2: 400, 505,
/// 513 ...), made from whatever of Via, From, To, Call-ID and CSeq can be found. Nothing for
/// responses, for ACK, for errors without a status, and when too little is left to answer to.
std::optional<std::string> answer_malformed(std::string_view bytes, const Error& error,
                                            std::string_view to_tag, std::string_view server);

}  // namespace strowger::sip
