#include "wire/dtls/setup.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace strowger::dtls {

namespace {

constexpr std::string_view names[] = {"actpass", "active", "passive", "holdconn"};
constexpr std::size_t tls_id_size = 32;  // about 190 bits; section 4 asks for 120

bool is_tls_id_character(char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '+' || c == '/' ||
           c == '-' || c == '_';
}

}  // namespace

std::string_view name_of(Setup setup) { return names[static_cast<std::size_t>(setup)]; }

std::optional<Setup> setup_named(std::string_view name) {
    for (std::size_t i = 0; i < std::size(names); ++i) {
        if (iequals(names[i], name)) return static_cast<Setup>(i);
    }
    return std::nullopt;
}

std::optional<Setup> answer_to(Setup offered, Setup preferred) {
    switch (offered) {
        case Setup::actpass: return preferred == Setup::active ? Setup::active : Setup::passive;
        case Setup::active: return Setup::passive;
        case Setup::passive: return Setup::active;
        case Setup::holdconn: return std::nullopt;
    }
    return std::nullopt;
}

std::string make_tls_id(Random& random) { return random.token(tls_id_size); }

bool is_tls_id(std::string_view value) {
    return value.size() >= 20 && value.size() <= 255 &&
           std::ranges::all_of(value, is_tls_id_character);
}

}  // namespace strowger::dtls
