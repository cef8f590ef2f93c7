#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "broker/storage.hpp"

namespace strowger::broker {

/// Names of files that were uploaded in the older manner and not to be kept (`persist=no`): they
/// last as long as this process, and the contents as long as there is room.
class StarlessNames {
public:
    static constexpr std::size_t max_names = 1024;  ///< beyond it, one goes for each that comes

    /// The file of that name, else the stored one of that alias or ref.
    std::optional<Storage::File> find(std::string_view name, Storage& storage) const;
    void keep(const std::string& name, const std::string& ref);
    void forget(const std::string& name) { refs_.erase(name); }

private:
    std::map<std::string, std::string> refs_;
};

}  // namespace strowger::broker
