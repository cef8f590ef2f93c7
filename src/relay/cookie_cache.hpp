#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/address.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

namespace strowger::relay {

/// Replies by cookie and sender, so that a command that comes again is answered as before and not
/// run again: control modules repeat what is not answered within a second.
///
/// Two generations of 30 s: a reply is kept that long at least, and twice that at most.
class CookieCache {
public:
    static constexpr Duration generation = std::chrono::seconds{30};
    /// Of both generations; a busy proxy sends 1000 commands a second. Beyond, the older goes
    /// early.
    static constexpr std::size_t max_bytes = std::size_t{64} << 20;

    /// The reply that was given; nothing for a new cookie. Borrowed until the next call.
    const std::string* find(const SocketAddress& sender, std::string_view cookie, Time now);
    void keep(const SocketAddress& sender, std::string_view cookie, std::string reply, Time now);

    std::size_t size() const { return young_.size() + old_.size(); }

private:
    using Replies = std::unordered_map<std::string, std::string, TextHash, std::equal_to<>>;

    void age(Time now);
    std::string_view key(const SocketAddress& sender, std::string_view cookie);

    Replies young_, old_;
    std::size_t young_bytes_ = 0;
    Time turned_{};
    std::string key_;
};

}  // namespace strowger::relay
