#include "wire/srtp/sdes.hpp"

#include <algorithm>
#include <bit>

#include "base/text.hpp"
#include "wire/srtp/receiver.hpp"

namespace strowger::srtp {

namespace {

constexpr std::size_t max_tag_digits = 9;  // section 9.1
constexpr int malformed = static_cast<int>(SdesFault::malformed);
constexpr int unknown_suite = static_cast<int>(SdesFault::unknown_suite);
constexpr int unsupported = static_cast<int>(SdesFault::unsupported);

/// The first word of `rest`, which loses it and the blanks around it.
std::string_view take_word(std::string_view& rest) {
    rest = trim(rest);
    const auto end = std::min(rest.find_first_of(" \t"), rest.size());
    const auto word = rest.substr(0, end);
    rest.remove_prefix(end);
    return word;
}

bool is_number(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, is_digit);
}

/// A decimal number of any length as `size` bytes, most significant first; nothing if it is larger.
std::optional<std::vector<std::uint8_t>> big_endian(std::string_view digits, std::size_t size) {
    std::vector<std::uint8_t> bytes(size);
    for (const char digit : digits) {
        unsigned carry = static_cast<unsigned>(digit - '0');
        for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) {
            carry += *byte * 10U;
            *byte = static_cast<std::uint8_t>(carry);
            carry >>= 8;
        }
        if (carry != 0) return std::nullopt;
    }
    return bytes;
}

std::string decimal(std::vector<std::uint8_t> bytes) {
    std::string digits;
    do {
        unsigned rest = 0;
        for (auto& byte : bytes) {
            rest = rest << 8 | byte;
            byte = static_cast<std::uint8_t>(rest / 10);
            rest %= 10;
        }
        digits += static_cast<char>('0' + rest);
    } while (std::ranges::any_of(bytes, [](std::uint8_t byte) { return byte != 0; }));
    std::ranges::reverse(digits);
    return digits;
}

Result<std::vector<std::uint8_t>> parse_mki(std::string_view text) {
    const auto [value, length] = split_once(text, ':');
    const auto size = parse_number<std::size_t>(length);
    if (!is_number(value) || !is_number(length) || !size || *size == 0 || *size > max_mki_size) {
        return fail_with(malformed, "crypto: MKI '{}' is not VALUE:LENGTH with a length of 1 to {}",
                         text, max_mki_size);
    }
    auto bytes = big_endian(value, *size);
    if (!bytes) {
        return fail_with(malformed, "crypto: MKI {} does not fit in {} bytes", value, *size);
    }
    return *std::move(bytes);
}

Result<std::uint64_t> parse_lifetime(std::string_view text) {
    const bool power = text.starts_with("2^");
    const auto digits = power ? text.substr(2) : text;
    const auto number = is_number(digits) ? parse_number<std::uint64_t>(digits) : std::nullopt;
    if (!number || (power && *number > 63) || (!power && *number == 0)) {
        return fail_with(malformed, "crypto: lifetime '{}' is neither a number nor 2^N", text);
    }
    return power ? std::uint64_t{1} << *number : *number;
}

Result<SdesKey> parse_key(Suite suite, std::string_view text) {
    constexpr std::string_view method = "inline:";
    if (!istarts_with(text, method)) {
        return fail_with(unsupported, "crypto: key method of '{}' is not inline",
                         text.substr(0, text.find(':')));
    }
    const auto parts = split(text.substr(method.size()), '|');
    const auto bytes = from_base64(parts[0]);
    if (!bytes) return fail_with(malformed, "crypto: the key is not base64");
    auto master = MasterKey::from(suite, *bytes);
    if (!master) return fail_with(malformed, "crypto: {}", master.error().text());
    SdesKey key{.key = {.master = *master, .mki = {}}, .lifetime = {}};
    if (parts.size() > 3) return fail_with(malformed, "crypto: {} parts of a key", parts.size());
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const auto part = parts[i];
        if (part.find(':') != std::string_view::npos) {
            auto mki = parse_mki(part);
            if (!mki) return std::unexpected(mki.error());
            if (!key.key.mki.empty()) return fail_with(malformed, "crypto: two MKIs of a key");
            key.key.mki = *std::move(mki);
        } else {
            const auto lifetime = parse_lifetime(part);
            if (!lifetime) return std::unexpected(lifetime.error());
            if (i != 1) return fail_with(malformed, "crypto: the lifetime comes before the MKI");
            key.lifetime = *lifetime;
        }
    }
    return key;
}

Result<> parse_keys(std::string_view text, Crypto& crypto) {
    const auto parts = split(text, ';');
    if (parts.size() > max_keys) {
        return fail_with(unsupported, "crypto: {} keys, more than {}", parts.size(), max_keys);
    }
    for (const auto part : parts) {
        auto key = parse_key(crypto.policy.suite, part);
        if (!key) return std::unexpected(key.error());
        crypto.keys.push_back(*std::move(key));
    }
    const auto size = crypto.keys[0].key.mki.size();
    for (const auto& key : crypto.keys) {  // section 6.1: all or none, and of one length
        if (key.key.mki.size() != size || (crypto.keys.size() > 1 && size == 0)) {
            return fail_with(malformed, "crypto: several keys need MKIs of one length");
        }
    }
    return {};
}

Result<> parse_parameter(std::string_view word, Crypto& crypto) {
    const auto [name, value] = split_once(word, '=');
    if (iequals(word, "UNENCRYPTED_SRTP")) {
        crypto.policy.encrypt_rtp = false;
    } else if (iequals(word, "UNENCRYPTED_SRTCP")) {
        crypto.policy.encrypt_rtcp = false;
    } else if (iequals(word, "UNAUTHENTICATED_SRTP")) {
        crypto.policy.authenticate_rtp = false;
    } else if (iequals(name, "WSH") && is_number(value)) {
        crypto.window_size_hint = parse_number<std::uint32_t>(value);
        if (!crypto.window_size_hint || *crypto.window_size_hint < 64) {
            return fail_with(malformed, "crypto: WSH={} is not a number from 64 up", value);
        }
    } else if (iequals(word, "FEC_ORDER=FEC_SRTP")) {
        crypto.fec_order = FecOrder::fec_first;
    } else if (iequals(word, "FEC_ORDER=SRTP_FEC")) {
        crypto.fec_order = FecOrder::srtp_first;
    } else if (iequals(name, "KDR")) {
        return fail_with(unsupported, "crypto: {}: session keys are derived only once here", word);
    } else if (!word.starts_with('-') && !iequals(name, "FEC_KEY")) {
        return fail_with(unsupported, "crypto: unknown session parameter '{}'", word);
    }
    return {};
}

}  // namespace

std::vector<IdentifiedKey> Crypto::identified_keys() const {
    std::vector<IdentifiedKey> all;
    all.reserve(keys.size());
    for (const auto& key : keys) all.push_back(key.key);
    return all;
}

Result<Crypto> parse_crypto(std::string_view value) {
    if (value.size() > max_crypto_size) {
        return fail_with(malformed, "crypto: {} bytes, more than {}", value.size(),
                         max_crypto_size);
    }
    Crypto crypto;
    const auto tag = take_word(value);
    const auto number = parse_number<std::uint32_t>(tag);
    if (!is_number(tag) || tag.size() > max_tag_digits || !number) {
        return fail_with(malformed, "crypto: '{}' is not a tag of 1 to {} digits", tag,
                         max_tag_digits);
    }
    crypto.tag = *number;
    const auto name = take_word(value);
    const auto suite = suite_named(name);
    if (!suite) return fail_with(unknown_suite, "crypto: unknown suite '{}'", name);
    crypto.policy.suite = *suite;
    if (auto parsed = parse_keys(take_word(value), crypto); !parsed) {
        return std::unexpected(parsed.error());
    }
    for (auto word = take_word(value); !word.empty(); word = take_word(value)) {
        if (auto parsed = parse_parameter(word, crypto); !parsed) {
            return std::unexpected(parsed.error());
        }
    }
    if (auto possible = check(crypto.policy); !possible) {
        return fail_with(malformed, "crypto: {}", possible.error().text());
    }
    return crypto;
}

std::string print(const Crypto& crypto, Padding padding) {
    auto text = fmt::format("{} {} ", crypto.tag, info_of(crypto.policy.suite).name);
    for (std::size_t i = 0; i < crypto.keys.size(); ++i) {
        const auto& [key, lifetime] = crypto.keys[i];
        text += i == 0 ? "inline:" : ";inline:";
        text += to_base64(key.master.key_and_salt(), padding);
        if (lifetime) {
            text += std::has_single_bit(*lifetime)
                        ? fmt::format("|2^{}", std::countr_zero(*lifetime))
                        : fmt::format("|{}", *lifetime);
        }
        if (!key.mki.empty()) text += fmt::format("|{}:{}", decimal(key.mki), key.mki.size());
    }
    if (!crypto.policy.encrypt_rtp) text += " UNENCRYPTED_SRTP";
    if (!crypto.policy.encrypt_rtcp) text += " UNENCRYPTED_SRTCP";
    if (!crypto.policy.authenticate_rtp) text += " UNAUTHENTICATED_SRTP";
    if (crypto.fec_order) {
        text += *crypto.fec_order == FecOrder::fec_first ? " FEC_ORDER=FEC_SRTP"
                                                         : " FEC_ORDER=SRTP_FEC";
    }
    if (crypto.window_size_hint) text += fmt::format(" WSH={}", *crypto.window_size_hint);
    return text;
}

}  // namespace strowger::srtp
