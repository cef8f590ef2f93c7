#include "pbx/parking.hpp"

#include <algorithm>

#include "pbx/channel.hpp"

namespace strowger::pbx {

namespace {

std::shared_ptr<Channel> living(const Parking::Parked& parked) {
    auto channel = parked.channel.lock();
    return channel && !channel->hung_up() ? channel : nullptr;
}

}  // namespace

bool Parking::is_free(const Key& space) const { return !find(space); }

const Parking::Parked* Parking::find(const Key& space) const {
    const auto found = parked_.find(space);
    return found != parked_.end() && living(found->second) ? &found->second : nullptr;
}

Result<unsigned> Parking::park(const config::ParkingLot& lot,
                               const std::shared_ptr<Channel>& channel, std::string parker,
                               Time now) {
    const unsigned size = lot.last - lot.first + 1;
    unsigned begin = lot.first;
    if (const auto next = next_.find(lot.name); lot.next_space && next != next_.end())
        begin = std::clamp(next->second, lot.first, lot.last);
    for (unsigned i = 0; i < size; ++i) {
        const unsigned space = lot.first + (begin - lot.first + i) % size;
        if (!is_free({lot.name, space})) continue;
        parked_.insert_or_assign({lot.name, space}, Parked{channel, std::move(parker), now});
        next_.insert_or_assign(lot.name, space == lot.last ? lot.first : space + 1);
        return space;
    }
    return fail("parking lot '{}' is full", lot.name);
}

std::optional<Parking::Key> Parking::space_of(const Channel& channel) const {
    for (const auto& [space, parked] : parked_)
        if (living(parked).get() == &channel) return space;
    return std::nullopt;
}

std::shared_ptr<Channel> Parking::take(std::string_view lot, std::optional<unsigned> space) {
    for (auto entry = parked_.begin(); entry != parked_.end();) {
        auto channel = living(entry->second);
        if (!channel) {
            entry = parked_.erase(entry);
            continue;
        }
        if (entry->first.first == lot && (!space || entry->first.second == *space)) {
            parked_.erase(entry);
            return channel;
        }
        ++entry;
    }
    return nullptr;
}

bool Parking::leave(const Channel& channel) {
    return std::erase_if(parked_, [&](const auto& entry) {
               return entry.second.channel.lock().get() == &channel;
           }) > 0;
}

std::vector<std::pair<Parking::Key, const Parking::Parked*>> Parking::all() const {
    std::vector<std::pair<Key, const Parked*>> result;
    for (const auto& [space, parked] : parked_)
        if (living(parked)) result.emplace_back(space, &parked);
    return result;
}

}  // namespace strowger::pbx
