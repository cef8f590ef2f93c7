#include "pbx/dialplan/builtin.hpp"
#include "pbx/dialplan/store.hpp"

namespace strowger::dialplan {

namespace {

using Value = Result<std::string>;

// "family/key": the family is all before the first slash.
Result<std::pair<std::string_view, std::string_view>> place_of(std::string_view args) {
    const auto [family, key] = split_once(args, '/');
    if (family.empty() || key.empty()) return fail("wants family/key, got '{}'", args);
    return std::pair(family, key);
}

// As Asterisk leaves it behind for those that ask whether there was something.
void remember(Call& call, std::string_view value) {
    (void)call.variables().set("DB_RESULT", std::string(value));
}

Value db_read(Call& call, std::string_view args) {
    const auto place = place_of(args);
    if (!place) return std::unexpected(place.error());
    const auto value = call.environment().store.get(place->first, place->second);
    remember(call, value.value_or(""));
    return value.value_or("");
}

Result<> db_write(Call& call, std::string_view args, std::string_view value) {
    const auto place = place_of(args);
    if (!place) return std::unexpected(place.error());
    if (!call.environment().store.put(place->first, place->second, value))
        return fail("'{}' could not be stored", args);
    return {};
}

Value db_exists(Call& call, std::string_view args) {
    const auto place = place_of(args);
    if (!place) return std::unexpected(place.error());
    const auto value = call.environment().store.get(place->first, place->second);
    if (value) remember(call, *value);
    return std::string(value ? "1" : "0");
}

Value db_delete(Call& call, std::string_view args) {
    auto value = db_read(call, args);
    if (!value) return value;
    const auto place = place_of(args);
    call.environment().store.erase(place->first, place->second);
    return value;
}

// The names one level below "family" or "family/part".
Value db_keys(Call& call, std::string_view args) {
    const auto [family, key] = split_once(args, '/');
    const auto items = call.environment().store.list(family, key);
    const std::size_t skip =
        family.empty() ? 1 : 2 + family.size() + (key.empty() ? 0 : key.size() + 1);
    std::string keys;
    std::string_view last;
    for (const auto& [path, value] : items) {
        if (path.size() <= skip) continue;
        const auto name = split_once(std::string_view(path).substr(skip), '/').first;
        if (name == last || name.empty()) continue;
        last = name;
        if (!keys.empty()) keys += ',';
        keys += name;
    }
    return keys;
}

}  // namespace

void add_store_functions(Functions& f) {
    f.add("DB", "a value of the database", db_read, db_write);
    f.add("DB_EXISTS", "1 when the database has a key", db_exists);
    f.add("DB_DELETE", "takes a value out of the database", db_delete);
    f.mark_dangerous("DB_DELETE");
    f.add("DB_KEYS", "the keys below a place in the database", db_keys);
    f.add("DB_KEYCOUNT", "how many keys lie below a place in the database",
          [](Call& call, std::string_view args) -> Value {
              const auto [family, key] = split_once(args, '/');
              return std::to_string(call.environment().store.list(family, key).size());
          });
}

}  // namespace strowger::dialplan
