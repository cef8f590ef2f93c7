// PRESENCE_STATE: what people say of themselves.

#include <array>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/channel.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/store.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/personal_presence.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Call;

/// Base64 of `text` when it asks for that.
std::string shown(std::string text, bool encoded) {
    return encoded ? to_base64(as_bytes(text), Padding::written) : text;
}

// PRESENCE_STATE(CustomPresence:name,value|subtype|message[,e])
Result<std::string> read(Call& call, std::string_view args) {
    const auto arguments = dialplan::split_arguments(args);
    const auto field = trim(argument(arguments, 1));
    const bool encoded = OptionLetters(argument(arguments, 2)).has('e');
    const auto presence = personal_presence(call.environment().store, trim(argument(arguments, 0)));
    if (!presence)
        return fail("PRESENCE_STATE: '{}' is not of the form CustomPresence:name",
                    argument(arguments, 0));
    if (iequals(field, "value")) return presence->state;
    if (iequals(field, "subtype")) return shown(presence->subtype, encoded);
    if (iequals(field, "message")) return shown(presence->message, encoded);
    return fail("PRESENCE_STATE: '{}' is none of value, subtype and message", field);
}

// Set(PRESENCE_STATE(CustomPresence:name)=state,subtype,message[,e])
Result<> write(Call& call, std::string_view args, std::string_view value) {
    auto set = set_personal_presence(call.environment().store, trim(args), value);
    if (!set) return set;
    static_cast<Channel&>(call).core().events.publish(
        events::DeviceStateChanged{std::string(trim(args)), std::string(value)});
    return {};
}

}  // namespace

void add_presence_functions(dialplan::Functions& functions) {
    functions.add("PRESENCE_STATE",
                  "What somebody says of himself: PRESENCE_STATE(CustomPresence:name,field[,e])",
                  read, write);
}

}  // namespace strowger::pbx
