#include "io/srv_order.hpp"

#include <algorithm>
#include <tuple>

namespace strowger::io {

void order_srv(std::vector<SrvRecord>& records, Random& random) {
    // Within a priority those of weight 0 stand first, so that they have their small chance.
    std::stable_sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
        return std::tuple(a.priority, a.weight != 0) < std::tuple(b.priority, b.weight != 0);
    });
    for (auto group = records.begin(); group != records.end();) {
        const auto end = std::find_if(group, records.end(), [&](const auto& record) {
            return record.priority != group->priority;
        });
        std::uint64_t total = 0;
        for (auto at = group; at != end; ++at) total += at->weight;
        for (; group != end; ++group) {
            // RFC 2782: a number from 0 to the sum inclusive; the first whose running sum reaches
            // it.
            const auto chosen = random.below(total + 1);
            std::uint64_t sum = 0;
            auto pick = group;
            for (auto at = group; at != end; ++at) {
                sum += at->weight;
                if (sum < chosen) continue;
                pick = at;
                break;
            }
            total -= pick->weight;
            std::rotate(group, pick, pick + 1);  // the others keep their order
        }
    }
}

void order_naptr(std::vector<NaptrRecord>& records) {
    std::stable_sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
        return std::tuple(a.order, a.preference) < std::tuple(b.order, b.preference);
    });
}

}  // namespace strowger::io
