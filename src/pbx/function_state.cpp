#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/channel.hpp"
#include "pbx/device_state.hpp"
#include "pbx/dialplan/store.hpp"
#include "pbx/hints.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Call;

Result<std::string> read_device_state(Call& call, std::string_view args) {
    return device_state(static_cast<Channel&>(call).core(), trim(args));
}

// DEVICE_STATE(Custom:name)=state: kept over restarts, and told to those who watch.
Result<> write_device_state(Call& call, std::string_view args, std::string_view value) {
    const auto device = trim(args);
    const auto [kind, name] = split_once(device, ':');
    if (!iequals(kind, "Custom") || name.empty())
        return fail("'{}' cannot be set, only Custom: devices", device);
    const auto state = device_state_by_name(trim(value));
    if (!state) return fail("'{}' is no state", value);
    if (!call.environment().store.put(custom_state_family, name, text_of(*state)))
        return fail("'{}' could not be stored", device);
    static_cast<Channel&>(call).core().events.publish(
        events::DeviceStateChanged{"Custom:" + std::string(name), std::string(text_of(*state))});
    return {};
}

// EXTENSION_STATE(exten[@context])
Result<std::string> read_extension_state(Call& call, std::string_view args) {
    const auto [exten, context] = split_once(trim(args), '@');
    return extension_state(static_cast<Channel&>(call).core(),
                           context.empty() ? std::string_view("default") : context, exten);
}

}  // namespace

void add_state_functions(dialplan::Functions& functions) {
    functions.add("DEVICE_STATE",
                  "What a device does: DEVICE_STATE(device), Custom: ones can be set",
                  read_device_state, write_device_state);
    functions.add("EXTENSION_STATE",
                  "What the devices of a hint do: EXTENSION_STATE(exten@context)",
                  read_extension_state);
}

}  // namespace strowger::pbx
