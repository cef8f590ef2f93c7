#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "pbx/config/parking.hpp"

namespace strowger::pbx {

class Channel;

/// The parked calls, by lot and space. Belongs to one thread. A call that has hung up is not there
/// any more.
class Parking {
public:
    struct Parked {
        std::weak_ptr<Channel> channel;
        std::string parker;  ///< the device that parked it, "PJSIP/alice"; empty: it came by itself
        Time since;
    };
    using Key = std::pair<std::string, unsigned>;  ///< lot and space

    /// The space given to it. Fails when the lot is full.
    Result<unsigned> park(const config::ParkingLot& lot, const std::shared_ptr<Channel>& channel,
                          std::string parker, Time now);
    /// Where a channel is parked.
    std::optional<Key> space_of(const Channel& channel) const;
    const Parked* find(const Key& space) const;
    /// Takes a call out of a space, or out of the lowest taken one. Null when there is none.
    std::shared_ptr<Channel> take(std::string_view lot, std::optional<unsigned> space);
    /// Gives its space up. False: it had none.
    bool leave(const Channel& channel);

    /// In the order of lots and spaces.
    std::vector<std::pair<Key, const Parked*>> all() const;

private:
    bool is_free(const Key& space) const;

    std::map<Key, Parked, std::less<>> parked_;
    std::map<std::string, unsigned, std::less<>> next_;  ///< where findslot=next goes on
};

}  // namespace strowger::pbx
