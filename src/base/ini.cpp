#include "base/ini.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "base/text.hpp"

namespace strowger::ini {

Result<std::string> MemoryFiles::read(const std::string& path) {
    const auto found = files_.find(path);
    if (found == files_.end()) return fail("{}: no such file", path);
    return found->second;
}

std::vector<std::string> MemoryFiles::glob(const std::string& pattern) {
    std::vector<std::string> paths;
    for (const auto& [path, text] : files_)
        if (path == pattern || fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0)
            paths.push_back(path);
    return paths;
}

Result<std::string> MemoryFiles::execute(const std::string& command) {
    return fail("'{}' cannot be run from memory", command);
}

std::string Diagnostic::message() const {
    auto message =
        line ? fmt::format("{}:{}: {}", file, line, text) : fmt::format("{}: {}", file, text);
    if (!suggestion.empty()) message += fmt::format(" (did you mean '{}'?)", suggestion);
    return message;
}

void Diagnostics::add(Severity severity, std::string file, unsigned line, std::string text,
                      std::string suggestion) {
    // A file of nothing but mistakes must not become a list as long as itself times its messages.
    static constexpr std::size_t most = 10'000;
    if (severity == Severity::error) ++errors_;
    if (all_.size() < most)
        all_.push_back({severity, std::move(file), line, std::move(text), std::move(suggestion)});
}

void Diagnostics::warn(std::string file, unsigned line, std::string text, std::string suggestion) {
    add(Severity::warning, std::move(file), line, std::move(text), std::move(suggestion));
}

void Diagnostics::error(std::string file, unsigned line, std::string text, std::string suggestion) {
    add(Severity::error, std::move(file), line, std::move(text), std::move(suggestion));
}

std::string Diagnostics::text() const {
    std::string text;
    for (const auto& diagnostic : all_) text += diagnostic.message() + '\n';
    return text;
}

const Entry* Section::find(std::string_view key) const {
    const auto found = std::find_if(entries.rbegin(), entries.rend(),
                                    [&](const Entry& entry) { return iequals(entry.key, key); });
    return found == entries.rend() ? nullptr : &*found;
}

std::optional<std::string_view> Section::get(std::string_view key) const {
    const auto* entry = find(key);
    return entry ? std::optional(entry->value) : std::nullopt;
}

std::vector<std::string_view> Section::all(std::string_view key) const {
    std::vector<std::string_view> values;
    for (const auto& entry : entries)
        if (iequals(entry.key, key)) values.push_back(entry.value);
    return values;
}

const Section* Document::find(std::string_view name) const {
    for (const auto* section : visible_)
        if (iequals(section->name, name)) return section;
    return nullptr;
}

std::string Document::where(Place place) const {
    return fmt::format("{}:{}", files_[place.file], place.line);
}

}  // namespace strowger::ini
