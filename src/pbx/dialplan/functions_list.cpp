#include <algorithm>

#include "pbx/dialplan/builtin.hpp"
#include "pbx/dialplan/substitution.hpp"

namespace strowger::dialplan {

namespace {

using Value = Result<std::string>;

// "name[,delimiter]" of the functions that change a list in a variable.
struct List {
    std::string name;
    char delimiter;
    explicit List(std::string_view args) {
        const Args arg(args);
        name = arg[0];
        delimiter = delimiter_of(arg[1], ',');
    }
};

// SHIFT and POP: the first or last element goes.
Value take_element(Call& call, std::string_view args, bool from_front) {
    const List list(args);
    const auto value = value_of(call, list.name);
    if (value.empty()) return std::string{};
    const auto at = from_front ? value.find(list.delimiter) : value.rfind(list.delimiter);
    std::string element;
    std::string rest;
    if (at == std::string::npos) {
        element = value;
    } else {
        element = from_front ? value.substr(0, at) : value.substr(at + 1);
        rest = from_front ? value.substr(at + 1) : value.substr(0, at);
    }
    if (auto set = call.assign(list.name, rest); !set) return std::unexpected(set.error());
    return element;
}

// PUSH and UNSHIFT: the new elements come with commas between them.
Result<> add_elements(Call& call, std::string_view args, std::string_view values, bool at_back) {
    const List list(args);
    std::string added;
    for (const auto& value : split_arguments(values)) {
        // Each is put before the one before it, as Asterisk unshifts them one by one.
        if (added.empty())
            added = value;
        else
            added = at_back ? added + list.delimiter + value : value + list.delimiter + added;
        if (added.size() > max_substituted)
            return fail("a list longer than {} bytes", max_substituted);
    }
    const auto old = value_of(call, list.name);
    if (old.empty()) return call.assign(list.name, added);
    return call.assign(list.name,
                       at_back ? old + list.delimiter + added : added + list.delimiter + old);
}

Value field_quantity(Call& call, std::string_view args) {
    const List list(args);
    const auto value = value_of(call, list.name);
    if (value.empty()) return std::string("0");
    return std::to_string(1 + std::count(value.begin(), value.end(), list.delimiter));
}

Value field_number(Call& call, std::string_view args) {
    const Args arg(args);
    if (arg.size() < 3) return fail("wants a variable's name, a delimiter and a value");
    const auto value = value_of(call, arg[0]);
    const auto fields = split(value, delimiter_of(arg[1], ','));
    const auto found = std::find(fields.begin(), fields.end(), std::string_view(arg[2]));
    return std::to_string(found == fields.end() ? 0 : found - fields.begin() + 1);
}

Value list_filter(Call& call, std::string_view args) {
    const Args arg(args);
    if (arg.size() < 3) return fail("wants a variable's name, a delimiter and a value");
    const char delimiter = delimiter_of(arg[1], ',');
    const auto value = value_of(call, arg[0]);
    std::string kept;
    bool first = true;
    for (const auto field : split(value, delimiter)) {
        if (field == arg[2]) continue;
        if (!first) kept += delimiter;
        kept += field;
        first = false;
    }
    return kept;
}

// SORT(key:value,...): the keys by rising value.
Value sort(Call&, std::string_view args) {
    std::vector<std::pair<double, std::string>> items;
    for (const auto& part : split_arguments(args)) {
        const auto [key, value] = split_once(part, ':');
        items.emplace_back(std::strtod(std::string(value).c_str(), nullptr), key);
    }
    for (auto& item : items)
        if (item.first != item.first) item.first = 0;  // "nan" would spoil the order
    std::stable_sort(items.begin(), items.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string keys;
    for (const auto& [value, key] : items) {
        if (!keys.empty()) keys += ',';
        keys += key;
    }
    return keys;
}

// Set(ARRAY(a,b)=1,2): one value to each name.
Result<> array(Call& call, std::string_view args, std::string_view values) {
    const auto parts = split_arguments(values);
    std::size_t next = 0;
    for (const auto& name : split_arguments(args)) {
        const auto& value = next < parts.size() ? parts[next] : std::string{};
        ++next;
        if (auto set = call.assign(trim(name), value); !set) return set;
    }
    return {};
}

// A hash's elements are variables under names that nobody else writes.
std::string element_name(std::string_view hash, std::string_view key) {
    return fmt::format("~HASH~{}~{}~", hash, key);
}

std::vector<std::pair<std::string, std::string>> elements(const Call& call, std::string_view hash) {
    const auto prefix = fmt::format("~HASH~{}~", hash);
    std::vector<std::pair<std::string, std::string>> found;
    for (auto& [name, value] : call.variables().all())
        if (name.starts_with(prefix) && name.size() > prefix.size())
            found.emplace_back(name.substr(prefix.size(), name.size() - prefix.size() - 1), value);
    return found;
}

std::string joined(const std::vector<std::pair<std::string, std::string>>& items, bool keys) {
    std::string text;
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) text += ',';
        text += keys ? items[i].first : items[i].second;
    }
    return text;
}

Value read_hash(Call& call, std::string_view args) {
    const Args arg(args);
    if (arg.size() < 2) return joined(elements(call, arg[0]), false);
    return std::string(call.variables().get(element_name(arg[0], arg[1])).value_or(""));
}

// Set(HASH(n,k)=v), or Set(HASH(n)=v1,v2) to the keys there are, in order.
Result<> write_hash(Call& call, std::string_view args, std::string_view value) {
    const Args arg(args);
    if (arg[0].empty()) return fail("wants the hash's name");
    if (arg.size() >= 2)
        return call.variables().set(element_name(arg[0], arg[1]), std::string(value));
    const auto values = split_arguments(value);
    std::size_t next = 0;
    // Whoever made a row of values (CURL with hashcompat) may have named their keys.
    if (const auto fields = call.variables().get(row_fields)) {
        const std::string names(*fields);
        for (const auto& key : split_arguments(names)) {
            if (next == values.size()) break;
            if (auto set = call.variables().set(element_name(arg[0], key), values[next++]); !set)
                return set;
        }
        call.variables().erase(row_fields);
        return {};
    }
    for (const auto& [key, old] : elements(call, arg[0])) {
        if (next == values.size()) break;
        if (auto set = call.variables().set(element_name(arg[0], key), values[next++]); !set)
            return set;
    }
    return {};
}

}  // namespace

void add_list_functions(Functions& f) {
    f.add("SHIFT", "takes the first element of a list",
          [](Call& call, std::string_view args) { return take_element(call, args, true); });
    f.add("POP", "takes the last element of a list",
          [](Call& call, std::string_view args) { return take_element(call, args, false); });
    f.add("PUSH", "appends to a list", {},
          [](Call& call, std::string_view args, std::string_view v) {
              return add_elements(call, args, v, true);
          });
    f.add("UNSHIFT", "puts before a list", {},
          [](Call& call, std::string_view args, std::string_view v) {
              return add_elements(call, args, v, false);
          });
    f.add("FIELDQTY", "how many fields a variable's text has", field_quantity);
    f.add("FIELDNUM", "which field has a value", field_number);
    f.add("LISTFILTER", "a list without a value", list_filter);
    f.add("SORT", "keys by their values", sort);
    f.add("ARRAY", "several variables at once", {}, array);
    f.add("HASH", "an associative array", read_hash, write_hash);
    f.add("HASHKEYS", "the keys of an associative array",
          [](Call& call, std::string_view args) -> Value {
              return joined(elements(call, args), true);
          });
}

}  // namespace strowger::dialplan
