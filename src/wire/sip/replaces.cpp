#include "wire/sip/replaces.hpp"

#include "base/text.hpp"
#include "wire/sip/syntax.hpp"

namespace strowger::sip {

Result<Replaces> Replaces::parse(std::string_view value) {
    const auto semicolon = value.find(';');
    Replaces replaces;
    replaces.call_id = syntax::trim_lws(value.substr(0, semicolon));
    auto rest = value.substr(std::min(semicolon, value.size()));
    while (const auto parameter = syntax::take_parameter(rest)) {
        if (iequals(parameter->name, "to-tag")) replaces.to_tag = parameter->value;
        if (iequals(parameter->name, "from-tag")) replaces.from_tag = parameter->value;
        if (iequals(parameter->name, "early-only")) replaces.early_only = true;
    }
    // Section 3: both tags exactly; "0" stands for the missing tag of an RFC 2543 peer.
    if (replaces.call_id.empty() || replaces.to_tag.empty() || replaces.from_tag.empty() ||
        !syntax::trim_lws(rest).empty())
        return fail_with(400, "Replaces '{}': expected CALL-ID;to-tag=TAG;from-tag=TAG",
                         syntax::excerpt(value));
    return replaces;
}

std::string Replaces::text() const {
    return fmt::format("{};to-tag={};from-tag={}{}", call_id, to_tag, from_tag,
                       early_only ? ";early-only" : "");
}

}  // namespace strowger::sip
