#include "wire/sip/session_expires.hpp"

#include "base/text.hpp"
#include "wire/sip/syntax.hpp"

namespace strowger::sip {

Result<SessionExpires> SessionExpires::parse(std::string_view value) {
    const auto semicolon = value.find(';');
    const auto interval = syntax::delta_seconds(syntax::trim_lws(value.substr(0, semicolon)));
    auto rest = value.substr(std::min(semicolon, value.size()));
    SessionExpires result;
    while (const auto parameter = syntax::take_parameter(rest)) {
        if (!iequals(parameter->name, "refresher")) continue;
        if (iequals(parameter->value, "uac")) result.refresher = Refresher::uac;
        if (iequals(parameter->value, "uas")) result.refresher = Refresher::uas;
    }
    if (!interval || !syntax::trim_lws(rest).empty())
        return fail_with(400, "Session-Expires '{}': expected seconds", syntax::excerpt(value));
    result.interval = *interval;
    return result;
}

std::string SessionExpires::text() const {
    std::string out = std::to_string(interval);
    if (refresher == Refresher::uac) out += ";refresher=uac";
    if (refresher == Refresher::uas) out += ";refresher=uas";
    return out;
}

}  // namespace strowger::sip
