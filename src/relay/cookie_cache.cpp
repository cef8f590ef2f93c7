#include "relay/cookie_cache.hpp"

namespace strowger::relay {

const std::string* CookieCache::find(std::string_view cookie, Time now) {
    age(now);
    for (const Replies* replies : {&young_, &old_})
        if (const auto found = replies->find(cookie); found != replies->end())
            return &found->second;
    return nullptr;
}

void CookieCache::keep(std::string_view cookie, std::string reply, Time now) {
    age(now);
    young_bytes_ += cookie.size() + reply.size();
    young_.insert_or_assign(std::string(cookie), std::move(reply));
    if (young_bytes_ <= max_bytes / 2) return;
    turned_ = now - generation;
    age(now);
}

void CookieCache::age(Time now) {
    if (now - turned_ < generation) return;
    // Nothing for two generations: what is young is as old as what is old.
    if (now - turned_ >= 2 * generation) young_.clear();
    old_ = std::exchange(young_, {});
    young_bytes_ = 0;
    turned_ = now;
}

}  // namespace strowger::relay
