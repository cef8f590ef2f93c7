#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/completion.hpp"

namespace strowger::pbx {

class Channel;
class Conference;

/// The conferences that there are, of one thread: each from its first member to its last.
class Conferences {
public:
    using Shared = std::shared_ptr<Conference>;  // its members hold it too, until they have left

    Shared find(std::string_view name) const;
    void add(const std::string& name, Shared conference);
    void remove(std::string_view name);
    std::vector<Shared> all() const;           ///< by name
    Shared with(const Channel& member) const;  ///< the one that it is in

    /// Resolved when what plays to a conference under that number has ended.
    using Done = io::Completion<bool>;
    Done begin(std::uint64_t id) { return playing_[id]; }
    /// From the engine; nothing for numbers that are not known.
    void played(std::uint64_t id);

private:
    std::map<std::string, Shared, std::less<>> by_name_;
    std::unordered_map<std::uint64_t, Done> playing_;
};

}  // namespace strowger::pbx
