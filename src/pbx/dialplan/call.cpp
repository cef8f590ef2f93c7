#include "pbx/dialplan/call.hpp"

#include "pbx/dialplan/functions.hpp"

namespace strowger::dialplan {

void Call::report(log::Level level, std::string_view text) {
    if (log::enabled(level)) log::write(level, {"dialplan", {}, position_.text()}, text);
}

std::optional<std::string> Call::variable(std::string_view name) const {
    if (name == "EXTEN") return position_.exten;
    if (name == "CONTEXT") return position_.context;
    if (name == "PRIORITY") return std::to_string(position_.priority);
    if (name == "EPOCH")
        return std::to_string(
            std::chrono::floor<std::chrono::seconds>(now()).time_since_epoch().count());
    if (name == "HINT" || name == "HINTNAME") {
        const auto plan = dialplan();
        const auto found = plan->find_hint(position_.context, position_.exten, query());
        if (!found) return std::nullopt;
        const auto& hint = *found->extension->hint;
        return name == "HINT" ? hint.devices : hint.name;
    }
    if (auto value = builtin(name)) return value;
    if (const auto value = variables_.get(name)) return std::string(*value);
    return environment_.globals.get(name);
}

Result<> Call::assign(std::string_view target, std::string_view value) {
    if (target.find('(') != std::string_view::npos && target.ends_with(')'))
        return environment_.functions.write(*this, target, value);
    return variables_.set(target, std::string(value));
}

void Call::raise(std::string reason) {
    interrupt_ = Interrupt::exception;
    exception_reason_ = std::move(reason);
    exception_at_ = position_;
}

void Call::redirect(Position position) {
    interrupt_ = Interrupt::redirect;
    redirected_ = std::move(position);
}

Call::Nested::operator bool() const { return call_.nesting_ <= max_nesting; }

}  // namespace strowger::dialplan
