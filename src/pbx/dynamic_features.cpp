#include "pbx/dynamic_features.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "pbx/dialplan/applications.hpp"
#include "pbx/dialplan/machine.hpp"

namespace strowger::pbx {

namespace {

using Application = config::Features::Application;

const Application* find(const config::Features& features, std::string_view name) {
    for (const auto& application : features.applicationmap)
        if (iequals(application.name, name)) return &application;
    return nullptr;
}

void add(std::vector<DynamicFeature>& found, const Application& application,
         std::string_view digits, bool is_caller) {
    const auto by = split_once(application.activate_on, '/').second;
    const bool allowed = by.empty() || by == "both" || by == (is_caller ? "caller" : "callee");
    const auto code = digits.empty() ? std::string_view(application.digits) : digits;
    if (allowed && !code.empty() && found.size() < config::Features::max_applications)
        found.push_back({application, std::string(code)});
}

}  // namespace

std::vector<DynamicFeature> dynamic_features(const Channel& channel,
                                             const config::Features& features, bool is_caller) {
    std::vector<DynamicFeature> found;
    if (features.applicationmap.empty()) return found;
    const auto names = channel.variable("DYNAMIC_FEATURES").value_or("");
    for (const auto part : split(names, '#')) {
        const auto name = trim(part);
        if (name.empty()) continue;
        if (const auto* application = find(features, name)) {
            add(found, *application, {}, is_caller);
            continue;
        }
        for (const auto& group : features.groups) {
            if (!iequals(group.name, name)) continue;
            for (const auto& [member, digits] : group.members)
                if (const auto* application = find(features, member))
                    add(found, *application, digits, is_caller);
        }
    }
    return found;
}

Task<> run_dynamic_feature(Core& core, Bridge::Starter starter, std::shared_ptr<Bridge> bridge,
                           ChannelPtr by, Application application) {
    const auto peer = bridge->peer_of(*by);
    const bool on_peer = application.activate_on.starts_with("peer");
    const auto target = on_peer ? peer : by;
    const auto other = on_peer ? by : peer;
    if (!target) co_return;
    const auto set = [&](std::string_view name, std::string value) {
        (void)target->variables().set(name, std::move(value));
    };
    set("DYNAMIC_FEATURENAME", application.name);
    set("DYNAMIC_PEERNAME", other ? other->name() : std::string());
    set("DYNAMIC_WHO_ACTIVATED", by->name());
    const auto* entry = core.environment.applications.find(application.application);
    // What never waits needs no time of its own, and may be about the conversation itself.
    if (!entry || std::holds_alternative<dialplan::QuickApplication>(entry->run)) {
        (void)co_await dialplan::Machine::execute(*target, application.application,
                                                  application.arguments);
        co_return;
    }
    auto out = bridge->step_out(*target);
    if (!out) co_return;
    Seat seat = std::move(*out);
    if (other && !application.music.empty()) (void)co_await other->start_music(application.music);
    const auto result = co_await dialplan::Machine::execute(*target, application.application,
                                                            application.arguments);
    const bool leaves = result == dialplan::AppResult::hangup || target->hung_up() ||
                        target->interrupted() != dialplan::Call::Interrupt::none;
    const auto remaining = bridge->peer_of(*target);
    if (leaves || !remaining) {
        let_go(seat,
               {target->hung_up() || leaves ? Released::Why::self_gone : Released::Why::peer_gone,
                Cause::normal_clearing,
                {}},
               starter);
        bridge->close();
    } else {
        co_await remaining->stop_playing();
        co_await target->stop_playing();
        (void)co_await bridge->step_in(std::move(seat));
    }
    core.signalling.touch();
}

}  // namespace strowger::pbx
