#include "pbx/conferences.hpp"

#include "pbx/conference.hpp"

namespace strowger::pbx {

Conferences::Shared Conferences::find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second;
}

void Conferences::add(const std::string& name, Shared conference) {
    by_name_.insert_or_assign(name, std::move(conference));
}

void Conferences::remove(std::string_view name) {
    if (const auto found = by_name_.find(name); found != by_name_.end()) by_name_.erase(found);
}

std::vector<Conferences::Shared> Conferences::all() const {
    std::vector<Shared> found;
    for (const auto& [name, conference] : by_name_) found.push_back(conference);
    return found;
}

Conferences::Shared Conferences::with(const Channel& member) const {
    for (const auto& [name, conference] : by_name_)
        if (conference->find(member)) return conference;
    return nullptr;
}

void Conferences::played(std::uint64_t id) {
    const auto found = playing_.find(id);
    if (found == playing_.end()) return;
    const auto done = found->second;
    playing_.erase(found);
    done.resolve(true);
}

}  // namespace strowger::pbx
