#include "wire/srtp/suite.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace strowger::srtp {

namespace {

constexpr bool in_order() {
    for (std::size_t i = 0; i < suites.size(); ++i) {
        if (static_cast<std::size_t>(suites[i].suite) != i) return false;
    }
    return true;
}
static_assert(in_order(), "info_of indexes by the enumerator");

struct Alias {
    std::string_view name;
    Suite suite;
};
constexpr Alias aliases[] = {
    {"AES_CM_256_HMAC_SHA1_80", Suite::aes_256_cm_hmac_sha1_80},
    {"AES_CM_256_HMAC_SHA1_32", Suite::aes_256_cm_hmac_sha1_32},
    {"AES_CM_192_HMAC_SHA1_80", Suite::aes_192_cm_hmac_sha1_80},
    {"AES_CM_192_HMAC_SHA1_32", Suite::aes_192_cm_hmac_sha1_32},
};

}  // namespace

std::optional<Suite> suite_named(std::string_view name) {
    for (const auto& info : suites) {
        if (iequals(info.name, name)) return info.suite;
    }
    for (const auto& alias : aliases) {
        if (iequals(alias.name, name)) return alias.suite;
    }
    return std::nullopt;
}

std::optional<Suite> suite_of_dtls_profile(std::uint16_t profile) {
    if (profile == 0) return std::nullopt;
    const auto* found = std::ranges::find(suites, profile, &SuiteInfo::dtls_profile);
    return found == suites.end() ? std::nullopt : std::optional(found->suite);
}

}  // namespace strowger::srtp
