#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/text.hpp"
#include "base/time.hpp"

namespace strowger::pbx {

class Channel;

/// Every channel that there is, by its uniqueid. Keeps them alive until `remove`.
class Channels {
public:
    void add(std::shared_ptr<Channel> channel);
    void remove(const Channel& channel);

    std::shared_ptr<Channel> find(std::string_view uniqueid) const;
    std::shared_ptr<Channel> find_by_name(std::string_view name) const;
    std::vector<std::shared_ptr<Channel>> all() const;  ///< in order of creation
    std::size_t size() const { return by_id_.size(); }

    /// "1763802000.17": seconds since 1970 when the exchange started, and a running number.
    std::string next_uniqueid(WallTime now);
    /// "PJSIP/alice-00000001".
    std::string next_name(std::string_view technology, std::string_view resource);
    /// Channels made since start.
    std::uint64_t created() const { return created_; }
    /// Calls that were given a dialplan.
    std::uint64_t calls = 0;

private:
    std::unordered_map<std::string, std::shared_ptr<Channel>, TextHash, std::equal_to<>> by_id_;
    std::uint64_t created_ = 0;
    std::uint64_t names_ = 0;
};

}  // namespace strowger::pbx
