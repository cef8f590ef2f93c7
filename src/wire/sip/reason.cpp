#include "wire/sip/reason.hpp"

#include "base/text.hpp"
#include "wire/sip/syntax.hpp"

namespace strowger::sip {

Result<Reason> Reason::parse(std::string_view value) {
    value = syntax::trim_lws(value);
    Reason reason;
    const auto semicolon = value.find(';');
    reason.protocol = syntax::trim_lws(value.substr(0, semicolon));
    auto rest = value.substr(std::min(semicolon, value.size()));
    while (const auto parameter = syntax::take_parameter(rest)) {
        if (iequals(parameter->name, "cause"))
            reason.cause = parse_number<int>(parameter->value);
        else if (iequals(parameter->name, "text"))
            reason.text = parameter->value;
    }
    if (!syntax::is_token(reason.protocol) || !syntax::trim_lws(rest).empty())
        return fail_with(400, "Reason '{}': expected PROTOCOL;cause=NUMBER",
                         syntax::excerpt(value));
    return reason;
}

std::string Reason::header_text() const {
    std::string out(protocol);
    if (cause) out += fmt::format(";cause={}", *cause);
    if (!text.empty()) ((out += ";text=\"") += text) += '"';
    return out;
}

}  // namespace strowger::sip
