#include "pbx/device_state.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "pbx/channel.hpp"
#include "pbx/dialplan/store.hpp"

namespace strowger::pbx {

namespace {

constexpr std::array<std::string_view, 9> names{"UNKNOWN", "NOT_INUSE", "INUSE",
                                                "BUSY",    "INVALID",   "UNAVAILABLE",
                                                "RINGING", "RINGINUSE", "ONHOLD"};

// One leg. A phone that dials is as much in use as one that talks.
DeviceState state_of(const Channel& channel) {
    switch (channel.state()) {
        case ChannelState::down: return DeviceState::not_inuse;
        case ChannelState::ring: return DeviceState::inuse;
        case ChannelState::ringing: return DeviceState::ringing;
        case ChannelState::up: return channel.on_hold() ? DeviceState::onhold : DeviceState::inuse;
    }
    return DeviceState::unknown;
}

bool is_reachable(const Core& core, const config::Endpoint& endpoint) {
    return std::any_of(endpoint.aors.begin(), endpoint.aors.end(), [&](const std::string& aor) {
        const auto& contacts = core.location.contacts(aor);
        return std::any_of(contacts.begin(), contacts.end(),
                           [](const Contact& c) { return c.available(); });
    });
}

std::vector<DeviceState> legs_of(const Core& core, std::string_view device) {
    std::vector<DeviceState> states;
    for (const auto* channel : core.channels.of_device(device))
        if (!channel->hung_up()) states.push_back(state_of(*channel));
    return states;
}

DeviceState endpoint_state(const Core& core, std::string_view device, std::string_view name) {
    const auto* endpoint = core.config->endpoints.find(name);
    if (!endpoint) return DeviceState::invalid;
    const auto legs = legs_of(core, device);
    const auto active = std::count_if(legs.begin(), legs.end(),
                                      [](DeviceState s) { return s != DeviceState::not_inuse; });
    // A trunk has calls without being registered or answering OPTIONS.
    if (active == 0)
        return is_reachable(core, *endpoint) ? DeviceState::not_inuse : DeviceState::unavailable;
    if (endpoint->device_state_busy_at > 0 && active >= endpoint->device_state_busy_at)
        return DeviceState::busy;
    return aggregate(legs);
}

DeviceState local_state(const Core& core, std::string_view device, std::string_view resource) {
    resource = split_once(resource, '/').first;  // "/n" and other options
    const auto [exten, context] = split_once(resource, '@');
    const auto dialplan = core.environment.dialplan();
    if (!dialplan->exists(context.empty() ? "default" : context, exten,
                          {{}, core.environment.clock()}))
        return DeviceState::invalid;
    const auto legs = legs_of(core, device.substr(0, device.find('/') + 1 + resource.size()));
    return legs.empty() ? DeviceState::not_inuse : aggregate(legs);
}

}  // namespace

std::string_view text_of(DeviceState state) { return names[static_cast<std::size_t>(state)]; }

std::optional<DeviceState> device_state_by_name(std::string_view text) {
    for (std::size_t i = 0; i < names.size(); ++i)
        if (iequals(names[i], text)) return static_cast<DeviceState>(i);
    return std::nullopt;
}

DeviceState aggregate(std::span<const DeviceState> states) {
    using enum DeviceState;
    std::array<std::size_t, names.size()> count{};
    for (const auto state : states) ++count[static_cast<std::size_t>(state)];
    const auto of = [&](DeviceState state) { return count[static_cast<std::size_t>(state)]; };
    const auto talking = of(inuse) + of(busy) + of(onhold);
    if (of(ringinuse) > 0 || (of(ringing) > 0 && talking > 0)) return ringinuse;
    if (of(ringing) > 0) return ringing;
    if (of(inuse) > 0) return inuse;
    // Busy means that none of them takes a call; what cannot be reached takes none either.
    if (of(busy) > 0) return of(not_inuse) + of(onhold) > 0 ? inuse : busy;
    if (of(onhold) > 0) return onhold;
    for (const auto state : {not_inuse, unavailable, unknown, invalid})
        if (of(state) > 0) return state;
    return unknown;
}

DeviceState state_of(const Core& core, std::string_view device) {
    device = trim(device);
    if (const auto [kind, name] = split_once(device, ':'); iequals(kind, "Custom")) {
        const auto stored = core.environment.store.get(custom_state_family, name);
        return stored ? device_state_by_name(*stored).value_or(DeviceState::unknown)
                      : DeviceState::unknown;
    }
    const auto [technology, resource] = split_once(device, '/');
    if (resource.empty()) return DeviceState::invalid;
    if (iequals(technology, "PJSIP")) return endpoint_state(core, device, resource);
    if (iequals(technology, "Local")) return local_state(core, device, resource);
    return DeviceState::invalid;
}

std::string device_state(const Core& core, std::string_view devices) {
    std::vector<DeviceState> states;
    for (const auto device : split(devices, '&')) states.push_back(state_of(core, device));
    return std::string(text_of(aggregate(states)));
}

}  // namespace strowger::pbx
