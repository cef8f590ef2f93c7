#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "io/http_client.hpp"

namespace strowger::broker {

/// The identity that a cloud's function asks for: a signed token, got by the key of a service
/// account (JWT bearer grant, RFC 7523 section 2.1, with `target_audience` for an ID token), and
/// got again before it ends.
class CloudToken {
public:
    /// `file`: the account's key as JSON, with client_email, private_key (PEM, RSA) and token_uri.
    static Result<CloudToken> read(const std::string& file, std::string audience);

    /// A token that is good for a minute at least.
    Task<Result<std::string>> get(io::HttpClient& client, WallTime now);

    /// What is signed and sent: header, claims and RS256 signature (RFC 7515 section 3.1).
    Result<std::string> assertion(WallTime now) const;

private:
    CloudToken() = default;

    std::string email_, key_, uri_, audience_;
    std::string token_;
    WallTime ends_{};
};

}  // namespace strowger::broker
