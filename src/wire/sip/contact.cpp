#include "wire/sip/contact.hpp"

#include "base/text.hpp"
#include "wire/sip/syntax.hpp"

namespace strowger::sip {

namespace {

/// qvalue of section 25.1: 0 or 1 with up to three decimals.
std::optional<int> parse_q(std::string_view text) {
    const auto [whole, decimals] = split_once(text, '.');
    if ((whole != "0" && whole != "1" && !whole.empty()) || decimals.size() > 3)
        return std::nullopt;
    if (whole.empty() && decimals.empty()) return std::nullopt;
    int value = whole == "1" ? 1 : 0;
    for (std::size_t i = 0; i < 3; ++i) {
        const char digit = i < decimals.size() ? decimals[i] : '0';
        if (!is_digit(digit)) return std::nullopt;
        value = value * 10 + (digit - '0');
    }
    return value <= Contact::highest_q ? std::optional{value} : std::nullopt;
}

}  // namespace

Result<Contact> Contact::parse(std::string_view value) {
    Contact contact;
    if (syntax::trim_lws(value) == "*") {
        contact.wildcard = true;
        return contact;
    }
    const auto address = NameAddress::parse(value);
    if (!address) return std::unexpected(address.error().within("Contact"));
    contact.address = *address;
    auto rest = address->parameters;
    while (const auto parameter = syntax::take_parameter(rest)) {
        if (iequals(parameter->name, "expires")) {
            contact.expires = syntax::delta_seconds(parameter->value).value_or(default_expires);
        } else if (iequals(parameter->name, "q")) {
            const auto q = parse_q(parameter->value);
            if (!q)
                return fail_with(400, "Contact: q is '{}', expected 0 to 1 with three decimals",
                                 syntax::excerpt(parameter->value));
            contact.q = *q;
        } else if (iequals(parameter->name, "+sip.instance")) {
            contact.instance = parameter->value;
        } else if (iequals(parameter->name, "reg-id")) {
            const auto id = parse_number<std::uint32_t>(parameter->value);
            if (!id || *id == 0 || *id > 0x7fffffff)  // RFC 5626 section 4.2
                return fail_with(400, "Contact: reg-id is '{}', expected 1 to 2147483647",
                                 syntax::excerpt(parameter->value));
            contact.reg_id = id;
        }
    }
    return contact;
}

}  // namespace strowger::sip
