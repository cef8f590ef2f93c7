#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace strowger::io {

/// RSASSA-PKCS1-v1_5 with SHA-256 (RS256, RFC 7518 section 3.3) by a private key in PEM.
Result<std::string> sign_rs256(const std::string& pem, std::string_view text);

}  // namespace strowger::io
