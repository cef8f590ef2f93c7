#include "wire/sip/event.hpp"

#include "base/text.hpp"
#include "wire/sip/syntax.hpp"

namespace strowger::sip {

Result<Event> Event::parse(std::string_view value) {
    const auto semicolon = value.find(';');
    Event event;
    event.package = syntax::trim_lws(value.substr(0, semicolon));
    auto rest = value.substr(std::min(semicolon, value.size()));
    while (const auto parameter = syntax::take_parameter(rest))
        if (iequals(parameter->name, "id")) event.id = parameter->value;
    if (!syntax::is_token(event.package) || !syntax::trim_lws(rest).empty())
        return fail_with(400, "Event '{}': expected a package", syntax::excerpt(value));
    return event;
}

bool Event::matches(const Event& other) const { return package == other.package && id == other.id; }

Result<SubscriptionState> SubscriptionState::parse(std::string_view value) {
    const auto semicolon = value.find(';');
    const auto name = syntax::trim_lws(value.substr(0, semicolon));
    auto rest = value.substr(std::min(semicolon, value.size()));
    SubscriptionState result;
    if (iequals(name, "active")) result.state = State::active;
    if (iequals(name, "pending")) result.state = State::pending;
    if (iequals(name, "terminated")) result.state = State::terminated;
    while (const auto parameter = syntax::take_parameter(rest)) {
        if (iequals(parameter->name, "expires"))
            result.expires = syntax::delta_seconds(parameter->value);
        else if (iequals(parameter->name, "reason"))
            result.reason = parameter->value;
        else if (iequals(parameter->name, "retry-after"))
            result.retry_after = syntax::delta_seconds(parameter->value);
    }
    if (!syntax::is_token(name) || !syntax::trim_lws(rest).empty())
        return fail_with(400, "Subscription-State '{}': expected a state", syntax::excerpt(value));
    return result;
}

}  // namespace strowger::sip
