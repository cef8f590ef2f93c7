#include "pbx/dialplan/applications.hpp"

#include <algorithm>

namespace strowger::dialplan {

void Applications::add(std::string name, std::string synopsis, Application application) {
    auto key = to_lower(name);
    by_lower_name_.insert_or_assign(
        std::move(key), Entry{std::move(name), std::move(synopsis), std::move(application)});
}

void Applications::add_quick(std::string name, std::string synopsis, QuickApplication application) {
    auto key = to_lower(name);
    by_lower_name_.insert_or_assign(
        std::move(key), Entry{std::move(name), std::move(synopsis), std::move(application)});
}

void Applications::switch_off(const std::vector<std::string_view>& names) {
    off_.clear();
    for (const auto name : names) off_.push_back(to_lower(name));
}

const Applications::Entry* Applications::find(std::string_view name) const {
    const auto found = by_lower_name_.find(to_lower(name));
    if (found == by_lower_name_.end()) return nullptr;
    if (!off_.empty() && std::find(off_.begin(), off_.end(), found->first) != off_.end())
        return nullptr;
    return &found->second;
}

std::vector<std::string_view> Applications::names() const {
    std::vector<std::string_view> names;
    for (const auto& [key, entry] : by_lower_name_)
        if (find(key)) names.push_back(entry.name);
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace strowger::dialplan
