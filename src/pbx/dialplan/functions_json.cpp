#include <nlohmann/json.hpp>

#include "pbx/dialplan/builtin.hpp"

namespace strowger::dialplan {

namespace {

using nlohmann::json;

// The parser keeps its own stack, but the value's destructor and the dump do not: bound the depth.
constexpr int max_depth = 64;

std::string text_of(const json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_null()) return {};
    if (value.is_boolean()) return value.get<bool>() ? "1" : "0";
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// JSON_DECODE(varname,item[,separator[,options]]): "a.b.0"; option c counts an array.
Result<std::string> json_decode(Call& call, std::string_view args) {
    const Args arg(args);
    if (arg.size() < 2) return fail("wants a variable's name and an item");
    const auto text = value_of(call, arg[0]);
    bool too_deep = false;
    const auto whole = json::parse(
        text,
        [&](int depth, json::parse_event_t, json&) {
            too_deep = too_deep || depth > max_depth;
            return depth <= max_depth;
        },
        false);
    if (whole.is_discarded() || too_deep) return fail("'{}' does not hold JSON", arg[0]);
    const json* at = &whole;
    for (const auto part : split(arg[1], delimiter_of(arg[2], '.'))) {
        if (at->is_object()) {
            const auto found = at->find(part);
            if (found == at->end()) return std::string{};
            at = &*found;
        } else if (at->is_array()) {
            const auto index = parse_number<std::size_t>(part);
            if (!index || *index >= at->size()) return std::string{};
            at = &(*at)[*index];
        } else {
            return std::string{};
        }
    }
    if (at->is_array() && arg[3].find('c') != std::string::npos) return std::to_string(at->size());
    return text_of(*at);
}

}  // namespace

void add_json_functions(Functions& f) {
    f.add("JSON_DECODE", "an item of the JSON in a variable", json_decode);
}

}  // namespace strowger::dialplan
