#include "relay/cookie_cache.hpp"

namespace strowger::relay {

const std::string* CookieCache::find(const SocketAddress& sender, std::string_view cookie,
                                     Time now) {
    age(now);
    const auto wanted = key(sender, cookie);
    for (const Replies* replies : {&young_, &old_})
        if (const auto found = replies->find(wanted); found != replies->end())
            return &found->second;
    return nullptr;
}

void CookieCache::keep(const SocketAddress& sender, std::string_view cookie, std::string reply,
                       Time now) {
    age(now);
    const auto name = key(sender, cookie);
    young_bytes_ += name.size() + reply.size();
    young_.insert_or_assign(std::string(name), std::move(reply));
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

std::string_view CookieCache::key(const SocketAddress& sender, std::string_view cookie) {
    key_.assign(reinterpret_cast<const char*>(sender.ip.data()), sender.ip.size());
    key_ += static_cast<char>(sender.port >> 8);
    key_ += static_cast<char>(sender.port & 0xff);
    key_ += cookie;
    return key_;
}

}  // namespace strowger::relay
