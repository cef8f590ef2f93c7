#include <fmt/format.h>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/channel.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Call;

std::string presentation(const PartyId& id) {
    return id.restricted ? "prohib_not_screened" : "allowed_not_screened";
}

// "prohib...", "unavailable" or the number 32 and up: not to be shown.
void present(PartyId& id, std::string_view value) {
    const auto number = parse_number<unsigned>(trim(value));
    id.restricted = istarts_with(trim(value), "prohib") || (number && (*number & 0x60) == 0x20);
}

std::string both(const PartyId& id) { return fmt::format("\"{}\" <{}>", id.name, id.number); }

// The fields that every kind of party has; nothing for another field.
std::optional<std::string> read_party(const PartyId& id, std::string_view field) {
    if (iequals(field, "all")) return both(id);
    if (iequals(field, "num") || iequals(field, "number")) return id.number;
    if (iequals(field, "name")) return id.name;
    if (iequals(field, "pres") || iequals(field, "num-pres") || iequals(field, "name-pres"))
        return presentation(id);
    if (iequals(field, "num-valid")) return std::string(id.number.empty() ? "0" : "1");
    if (iequals(field, "name-valid")) return std::string(id.name.empty() ? "0" : "1");
    if (iequals(field, "num-plan")) return std::string("0");
    if (iequals(field, "name-charset")) return std::string("utf8");
    return std::nullopt;
}

bool write_party(PartyId& id, std::string_view field, std::string_view value) {
    if (iequals(field, "all")) {
        auto parsed = config::CallerId::parse(value);
        id.name = std::move(parsed.name);
        id.number = std::move(parsed.number);
    } else if (iequals(field, "num") || iequals(field, "number")) {
        id.number = trim(value);
    } else if (iequals(field, "name")) {
        id.name = value;
    } else if (iequals(field, "pres") || iequals(field, "num-pres") ||
               iequals(field, "name-pres")) {
        present(id, value);
    } else if (iequals(field, "num-valid")) {
        if (!is_true(trim(value))) id.number.clear();
    } else if (iequals(field, "name-valid")) {
        if (!is_true(trim(value))) id.name.clear();
    } else if (!iequals(field, "num-plan") && !iequals(field, "name-charset")) {
        return false;
    }
    return true;
}

std::string_view field_of(const std::vector<std::string>& arguments) {
    return trim(argument(arguments, 0));
}

Result<std::string> read_caller(Call& call, std::string_view args) {
    const auto& channel = static_cast<const Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const auto field = field_of(arguments);
    if (iequals(field, "dnid")) return channel.dialled;
    if (iequals(field, "tag")) return channel.caller_tag;
    if (iequals(field, "rdnis")) return channel.redirecting.from.number;
    if (istarts_with(field, "ani")) {
        PartyId ani = channel.caller;
        if (!channel.ani.empty()) ani.number = channel.ani;
        if (iequals(field, "ani")) return ani.number;
        if (const auto value =
                read_party(ani, field.substr(std::min<std::size_t>(4, field.size()))))
            return *value;
    }
    if (const auto value =
            read_party(channel.caller, istarts_with(field, "priv-") ? field.substr(5) : field))
        return *value;
    return fail("unknown field '{}'", field);
}

Result<> write_caller(Call& call, std::string_view args, std::string_view value) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    const auto field = field_of(arguments);
    if (iequals(field, "dnid"))
        channel.dialled = trim(value);
    else if (iequals(field, "tag"))
        channel.caller_tag = value;
    else if (iequals(field, "rdnis"))
        channel.redirecting.from.number = trim(value);
    else if (iequals(field, "ani") || iequals(field, "ani-num"))
        channel.ani = trim(value);
    else if (!write_party(channel.caller, field, value))
        return fail("unknown field '{}'", field);
    channel.caller_changed();
    return {};
}

Result<std::string> read_connected(Call& call, std::string_view args) {
    const auto arguments = dialplan::split_arguments(args);
    if (const auto value = read_party(static_cast<Channel&>(call).connected, field_of(arguments)))
        return *value;
    return fail("unknown field '{}'", field_of(arguments));
}

// CONNECTEDLINE(field[,i]): `i` sets it without telling the phone.
Result<> write_connected(Call& call, std::string_view args, std::string_view value) {
    auto& channel = static_cast<Channel&>(call);
    const auto arguments = dialplan::split_arguments(args);
    if (!write_party(channel.connected, field_of(arguments), value))
        return fail("unknown field '{}'", field_of(arguments));
    if (argument(arguments, 1).find('i') == std::string_view::npos)
        channel.connected_line_changed();
    return {};
}

PartyId* redirecting_party(Channel::Redirecting& redirecting, std::string_view& field) {
    const std::pair<std::string_view, PartyId*> parties[] = {
        {"orig-", &redirecting.original}, {"from-", &redirecting.from}, {"to-", &redirecting.to}};
    for (const auto& [prefix, party] : parties)
        if (istarts_with(field, prefix)) {
            field.remove_prefix(prefix.size());
            return party;
        }
    return nullptr;
}

Result<std::string> read_redirecting(Call& call, std::string_view args) {
    auto& redirecting = static_cast<Channel&>(call).redirecting;
    const auto arguments = dialplan::split_arguments(args);
    auto field = field_of(arguments);
    if (iequals(field, "reason")) return redirecting.reason;
    if (iequals(field, "count")) return std::to_string(redirecting.count);
    if (const auto* party = redirecting_party(redirecting, field))
        if (const auto value = read_party(*party, field)) return *value;
    return fail("unknown field '{}'", field_of(arguments));
}

Result<> write_redirecting(Call& call, std::string_view args, std::string_view value) {
    auto& redirecting = static_cast<Channel&>(call).redirecting;
    const auto arguments = dialplan::split_arguments(args);
    auto field = field_of(arguments);
    if (iequals(field, "reason")) {
        redirecting.reason = trim(value);
        return {};
    }
    if (iequals(field, "count")) {
        redirecting.count = parse_number<unsigned>(trim(value)).value_or(0);
        return {};
    }
    if (auto* party = redirecting_party(redirecting, field);
        party && write_party(*party, field, value))
        return {};
    return fail("unknown field '{}'", field_of(arguments));
}

}  // namespace

void add_caller_functions(dialplan::Functions& functions) {
    functions.add("CALLERID", "Who calls: CALLERID(num|name|all|ani|dnid|rdnis|pres|tag)",
                  read_caller, write_caller);
    functions.add("CONNECTEDLINE", "Whom it talks to: CONNECTEDLINE(num|name|all|pres[,i])",
                  read_connected, write_connected);
    functions.add("REDIRECTING",
                  "Who sent the call on: REDIRECTING(from-num|to-num|reason|count|...)",
                  read_redirecting, write_redirecting);
}

}  // namespace strowger::pbx
