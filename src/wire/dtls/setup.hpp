#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.hpp"

namespace strowger::dtls {

enum class Role : std::uint8_t { client, server };

/// The value of `a=setup` (RFC 4145 section 4, RFC 5763 section 5): active is the DTLS client.
enum class Setup : std::uint8_t { actpass, active, passive, holdconn };

std::string_view name_of(Setup setup);
std::optional<Setup> setup_named(std::string_view name);

/// What to answer to an offer (RFC 8842 section 5.3): our own wish, `preferred`, where the offer
/// leaves the choice. Nothing for holdconn, which WebRTC does not have.
std::optional<Setup> answer_to(Setup offered, Setup preferred);

/// Our role, once offer and answer are there and ours was `setup`.
constexpr Role role_of(Setup setup) { return setup == Setup::active ? Role::client : Role::server; }

/// The value of `a=tls-id` (RFC 8842 section 4): a new one announces a new association.
std::string make_tls_id(Random& random);
bool is_tls_id(std::string_view value);  ///< 20 to 255 of its characters

}  // namespace strowger::dtls
