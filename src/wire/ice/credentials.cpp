#include "wire/ice/credentials.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "base/text.hpp"

namespace strowger::ice {
namespace {

constexpr std::size_t own_ufrag = 8;
constexpr std::size_t own_pwd = 24;

std::string random_text(std::size_t size) {
    static constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::vector<std::uint8_t> bytes(size);
    if (RAND_bytes(bytes.data(), static_cast<int>(size)) != 1) {
        throw std::runtime_error("OpenSSL has no randomness for ICE credentials");
    }
    std::string text(size, ' ');
    std::transform(bytes.begin(), bytes.end(), text.begin(),
                   [](std::uint8_t byte) { return alphabet[byte % 64]; });
    return text;
}

Result<> check_text(std::string_view what, std::string_view text, std::size_t min) {
    if (text.size() < min || text.size() > Credentials::max_size) {
        return fail("{} of {} characters; expected {} to {}", what, text.size(), min,
                    Credentials::max_size);
    }
    if (!std::all_of(text.begin(), text.end(), is_ice_char)) {
        return fail("{} with characters other than letters, digits, '+' and '/'", what);
    }
    return {};
}

}  // namespace

bool is_ice_char(char c) {
    const char l = lower(c);
    return (l >= 'a' && l <= 'z') || is_digit(c) || c == '+' || c == '/';
}

Credentials Credentials::generate() { return {random_text(own_ufrag), random_text(own_pwd)}; }

Result<Credentials> Credentials::check(std::string_view ufrag, std::string_view pwd) {
    if (auto right = check_text("ice-ufrag", ufrag, min_ufrag); !right) {
        return std::unexpected(right.error());
    }
    if (auto right = check_text("ice-pwd", pwd, min_pwd); !right) {
        return std::unexpected(right.error());
    }
    return Credentials{std::string(ufrag), std::string(pwd)};
}

}  // namespace strowger::ice
