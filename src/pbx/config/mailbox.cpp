#include "pbx/config/mailbox.hpp"

#include "base/text.hpp"
#include "pbx/config/sections.hpp"

namespace strowger::pbx::config {

void read_mailboxes(const ini::Document& document, Configuration& configuration) {
    for (const auto* section : document.sections()) {
        if (iequals(section->name, "general") || iequals(section->name, "zonemessages")) continue;
        for (const auto& entry : section->entries) {
            const auto parts = split(entry.value, ',');
            const auto at = [&](std::size_t i) {
                return std::string(i < parts.size() ? trim(parts[i]) : std::string_view());
            };
            configuration.mailboxes.push_back({std::string(section->name), std::string(entry.key),
                                               at(0), at(1), at(2), at(3), at(4)});
        }
    }
}

}  // namespace strowger::pbx::config
