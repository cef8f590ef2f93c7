#include "pbx/mix_monitor.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Call;

std::string key_of(std::uint64_t id) { return fmt::format("MixMonitor {}", id); }

// MIXMONITOR(id,filename)
Result<std::string> read(Call& call, std::string_view args) {
    const auto& channel = static_cast<const Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const auto id = trim(argument(arguments, 0));
    const auto key = trim(argument(arguments, 1));
    const auto number = parse_number<std::uint64_t>(id);
    if (!number || !iequals(key, "filename"))
        return fail("MIXMONITOR({}): expected an id and filename", args);
    const auto found = channel.attached.find(key_of(*number));
    if (found == channel.attached.end()) return fail("MIXMONITOR: nothing records as {}", id);
    return *std::static_pointer_cast<const std::string>(found->second);
}

}  // namespace

void remember_mix_monitor(Channel& channel, std::uint64_t id, std::string file) {
    channel.attached[key_of(id)] = std::make_shared<std::string>(std::move(file));
}

void forget_mix_monitor(Channel& channel, std::uint64_t id) { channel.attached.erase(key_of(id)); }

void add_mix_monitor_functions(dialplan::Functions& functions) {
    functions.add("MIXMONITOR", "The file of a MixMonitor: MIXMONITOR(id,filename)", read);
}

}  // namespace strowger::pbx
