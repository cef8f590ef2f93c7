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

const Applications::Entry* Applications::find(std::string_view name) const {
    const auto found = by_lower_name_.find(to_lower(name));
    return found == by_lower_name_.end() ? nullptr : &found->second;
}

std::vector<std::string_view> Applications::names() const {
    std::vector<std::string_view> names;
    for (const auto& [key, entry] : by_lower_name_) names.push_back(entry.name);
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace strowger::dialplan
