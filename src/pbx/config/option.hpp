#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ini.hpp"
#include "base/result.hpp"
#include "base/text.hpp"
#include "pbx/config/acl.hpp"

namespace strowger::pbx::config {

/// What reading one kind of section knows: each key and how its value gets into the object. Keys
/// are of any case; unknown ones are warned about with the nearest known one, bad values are
/// errors.
template <typename Object>
class Schema {
public:
    using Apply = std::function<Result<>(Object&, std::string_view)>;

    Schema& on(std::string_view key, Apply apply) {
        options_.emplace(to_lower(key), std::move(apply));
        return *this;
    }
    /// Keys that are right in such a section but that this exchange has no use for.
    Schema& ignore(std::initializer_list<std::string_view> keys) {
        for (const auto key : keys) on(key, [](Object&, std::string_view) { return Result<>{}; });
        return *this;
    }
    Schema& text(std::string_view key, std::string Object::* member) {
        return on(key, [member](Object& object, std::string_view value) -> Result<> {
            object.*member = value;
            return {};
        });
    }
    Schema& boolean(std::string_view key, bool Object::* member) {
        return on(key, [member](Object& object, std::string_view value) -> Result<> {
            object.*member = is_true(value);
            return {};
        });
    }
    template <typename Number>
    Schema& number(std::string_view key, Number Object::* member, Number low, Number high) {
        return on(key, [=](Object& object, std::string_view value) -> Result<> {
            const auto read = parse_number<Number>(value);
            if (!read || *read < low || *read > high)
                return fail("expected a number from {} to {}, got '{}'", low, high, value);
            object.*member = *read;
            return {};
        });
    }
    template <typename Choice>
    Schema& choice(std::string_view key, Choice Object::* member,
                   std::vector<std::pair<std::string_view, Choice>> words) {
        return on(key, [member, words](Object& object, std::string_view value) -> Result<> {
            for (const auto& [word, meaning] : words)
                if (iequals(word, value)) {
                    object.*member = meaning;
                    return {};
                }
            std::string known;
            for (const auto& [word, meaning] : words) (known += known.empty() ? "" : ", ") += word;
            return fail("expected one of {}, got '{}'", known, value);
        });
    }
    /// "a,b": replaces what an earlier line set.
    Schema& list(std::string_view key, std::vector<std::string> Object::* member) {
        return on(key, [member](Object& object, std::string_view value) -> Result<> {
            (object.*member).clear();
            add_words(object.*member, value);
            return {};
        });
    }
    /// "a,b", and further lines add to it.
    Schema& growing_list(std::string_view key, std::vector<std::string> Object::* member) {
        return on(key, [member](Object& object, std::string_view value) -> Result<> {
            add_words(object.*member, value);
            return {};
        });
    }
    /// "10.0.0.0/8,!10.1.0.0/16" of a permit or deny line.
    Schema& rule(std::string_view key, AccessRules Object::* member, bool permit) {
        return on(key, [=](Object& object, std::string_view value) -> Result<> {
            for (auto part : split(value, ',')) {
                part = trim(part);
                const bool negated = part.starts_with('!');
                if (negated) part.remove_prefix(1);
                if (part.empty()) continue;
                auto network = Cidr::parse(part);
                if (!network) return std::unexpected(network.error());
                (object.*member).rules.push_back({permit != negated, *network});
            }
            return {};
        });
    }
    /// DS byte or priority: a number, or a name of RFC 2474, 2597, 3246 (cs3, af41, ef).
    Schema& tos(std::string_view key, int Object::* member) {
        return on(key, [member](Object& object, std::string_view value) -> Result<> {
            auto read = parse_tos(value);
            if (!read) return std::unexpected(read.error());
            object.*member = *read;
            return {};
        });
    }

    void apply(Object& object, const ini::Document& document, const ini::Entry& entry,
               ini::Diagnostics& diagnostics) const {
        // Nearly every key is written in small letters already.
        auto found = options_.find(entry.key);
        if (found == options_.end()) found = options_.find(to_lower(entry.key));
        if (found == options_.end()) {
            diagnostics.warn(document.file(entry.place), entry.place.line,
                             fmt::format("unknown key '{}'", entry.key),
                             diagnostics.wants_suggestions() ? suggest(entry.key) : std::string{});
        } else if (auto done = found->second(object, entry.value); !done) {
            diagnostics.error(document.file(entry.place), entry.place.line,
                              fmt::format("{}: {}", entry.key, done.error().text()));
        }
    }
    void apply(Object& object, const ini::Document& document, const ini::Section& section,
               ini::Diagnostics& diagnostics) const {
        for (const auto& entry : section.entries)
            if (!iequals(entry.key, "type") || options_.contains("type"))
                apply(object, document, entry, diagnostics);
    }
    /// One option that no file has given.
    Result<> set(Object& object, std::string_view key, std::string_view value) const {
        const auto found = options_.find(to_lower(key));
        if (found != options_.end()) return found->second(object, value);
        const auto near = suggest(key);
        return fail("unknown option '{}'{}", key,
                    near.empty() ? near : " (did you mean '" + near + "'?)");
    }
    bool knows(std::string_view key) const { return options_.contains(to_lower(key)); }
    std::string suggest(std::string_view key) const {
        std::vector<std::string_view> keys;
        for (const auto& [name, apply] : options_) keys.push_back(name);
        std::sort(keys.begin(), keys.end());
        return std::string(nearest(to_lower(key), keys).value_or(""));
    }

private:
    static void add_words(std::vector<std::string>& words, std::string_view value) {
        for (const auto part : split(value, ','))
            if (!trim(part).empty()) words.emplace_back(trim(part));
    }
    static Result<int> parse_tos(std::string_view value) {
        if (const auto number = parse_number<int>(value); number && *number >= 0 && *number <= 255)
            return *number;
        if (iequals(value, "ef")) return 0xb8;
        if (value.size() == 3 && istarts_with(value, "cs") && value[2] >= '0' && value[2] <= '7')
            return (value[2] - '0') << 5;
        if (value.size() == 4 && istarts_with(value, "af") && value[2] >= '1' && value[2] <= '4' &&
            value[3] >= '1' && value[3] <= '3')
            return (value[2] - '0') << 5 | (value[3] - '0') << 3;
        if (value.starts_with("0x")) {
            unsigned number = 0;
            const auto end = value.data() + value.size();
            const auto [last, error] = std::from_chars(value.data() + 2, end, number, 16);
            if (error == std::errc{} && last == end && number <= 255)
                return static_cast<int>(number);
        }
        return fail("expected a number to 255 or a name like cs3, ef, af41, got '{}'", value);
    }

    std::unordered_map<std::string, Apply, TextHash, std::equal_to<>> options_;
};

}  // namespace strowger::pbx::config
