#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "pbx/config/configuration.hpp"
#include "wire/sip/message.hpp"

namespace strowger::pbx {

/// What a challenged request of ours is repeated with.
struct Answer {
    sip::HeaderId header = sip::HeaderId::authorization;  ///< or Proxy-Authorization
    std::string value;
    bool stale = false;  ///< the challenge says that only the nonce was too old
};

/// The answer to a 401 or 407: by the first challenge that we understand and the first of the named
/// `auth` objects whose realm is empty or the challenge's. The error says in words for the operator
/// why there is none.
Result<Answer> answer_challenges(const config::Configuration& config,
                                 const std::vector<std::string>& auths,
                                 const sip::Message& response, std::string_view method,
                                 std::string_view uri, Random& random, std::string_view body = {});

}  // namespace strowger::pbx
