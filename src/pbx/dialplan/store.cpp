#include "pbx/dialplan/store.hpp"

namespace strowger::dialplan {

namespace {

std::string path_of(std::string_view family, std::string_view key) {
    std::string path = "/";
    path += family;
    path += '/';
    path += key;
    return path;
}

// Whether `path` is `root` or lies below it.
bool is_within(std::string_view path, std::string_view root) {
    while (root.ends_with('/')) root.remove_suffix(1);
    return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

std::string root_of(std::string_view family, std::string_view key) {
    if (family.empty()) return {};
    return key.empty() ? '/' + std::string(family) : path_of(family, key);
}

}  // namespace

std::optional<std::string> MemoryStore::get(std::string_view family, std::string_view key) {
    const std::lock_guard lock(mutex_);
    const auto found = values_.find(path_of(family, key));
    return found == values_.end() ? std::nullopt : std::optional(found->second);
}

bool MemoryStore::put(std::string_view family, std::string_view key, std::string_view value) {
    const std::lock_guard lock(mutex_);
    values_.insert_or_assign(path_of(family, key), std::string(value));
    return true;
}

bool MemoryStore::erase(std::string_view family, std::string_view key) {
    const std::lock_guard lock(mutex_);
    return values_.erase(path_of(family, key)) > 0;
}

std::size_t MemoryStore::erase_tree(std::string_view family, std::string_view key) {
    const std::lock_guard lock(mutex_);
    const auto root = root_of(family, key);
    return std::erase_if(values_, [&](const auto& item) { return is_within(item.first, root); });
}

std::vector<std::pair<std::string, std::string>> MemoryStore::list(std::string_view family,
                                                                   std::string_view key) {
    const std::lock_guard lock(mutex_);
    const auto root = root_of(family, key);
    std::vector<std::pair<std::string, std::string>> found;
    for (const auto& item : values_)
        if (is_within(item.first, root)) found.emplace_back(item);
    return found;
}

}  // namespace strowger::dialplan
