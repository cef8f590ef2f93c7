#include "wire/sip/session_timer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "wire/sip/session_expires.hpp"

namespace strowger::sip {
namespace {

using std::chrono::seconds;

// RFC 4028 section 4: "the absolute minimum".
constexpr seconds absolute_minimum{90};
// Section 10: the side that does not refresh hangs up this much before the end, or a third of it.
constexpr seconds farewell{32};

/// Nothing when absent or malformed.
std::optional<SessionExpires> session_expires(const Message& message) {
    const auto value = message.header(HeaderId::session_expires);
    if (!value) return std::nullopt;
    const auto parsed = SessionExpires::parse(*value);
    return parsed ? std::optional{*parsed} : std::nullopt;
}

std::optional<seconds> min_se(const Message& message) {
    const auto value = message.header(HeaderId::min_se);
    if (!value) return std::nullopt;
    const auto number = parse_number<std::uint32_t>(trim(value->substr(0, value->find(';'))));
    return number ? std::optional{seconds{*number}} : std::nullopt;
}

}  // namespace

SessionTimer::SessionTimer(Config config) : config_(config) {
    config_.minimum = std::max(config_.minimum, absolute_minimum);
    config_.interval = std::max(config_.interval, config_.minimum);
}

std::string SessionTimer::request_session_expires() const {
    if (interval_) {
        return fmt::format("{};refresher={}", interval_->count(), we_refresh_ ? "uac" : "uas");
    }
    const bool asks = config_.mode == Mode::request || config_.mode == Mode::required;
    return asks ? fmt::format("{}", config_.interval.count()) : std::string{};
}

std::string SessionTimer::request_min_se() const {
    // Left out where it says no more than the RFC does.
    const bool says_more = config_.minimum > absolute_minimum;
    if (config_.mode == Mode::off || !says_more) return {};
    return fmt::format("{}", config_.minimum.count());
}

bool SessionTimer::raise_minimum(const Message& response) {
    const auto asked = min_se(response);
    if (!asked || *asked <= config_.minimum) return false;
    config_.minimum = *asked;
    config_.interval = std::max(config_.interval, config_.minimum);
    if (interval_) interval_ = std::max(*interval_, config_.minimum);
    return true;
}

void SessionTimer::negotiated_as_uac(const Message& response, Time now) {
    if (config_.mode == Mode::off) return;
    if (const auto agreed = session_expires(response)) {
        return start(seconds{agreed->interval}, agreed->refresher != SessionExpires::Refresher::uas,
                     now);
    }
    const bool asked = config_.mode == Mode::request || config_.mode == Mode::required;
    if (asked) {
        // Section 7.2: who does not know timers leaves the refreshing to us.
        start(config_.interval, true, now);
    } else {
        interval_.reset();
        refresh_at_ = expires_at_ = Time::max();
    }
}

int SessionTimer::judge(const Message& request) const {
    if (config_.mode == Mode::off) return 0;
    const bool supported =
        request.lists(HeaderId::supported, "timer") || request.lists(HeaderId::require, "timer");
    if (config_.mode == Mode::required && !supported) return 421;
    const auto asked = session_expires(request);
    return asked && supported && seconds{asked->interval} < config_.minimum ? 422 : 0;
}

std::string SessionTimer::accept_as_uas(const Message& request, Time now) {
    if (config_.mode == Mode::off) return {};
    const bool supported =
        request.lists(HeaderId::supported, "timer") || request.lists(HeaderId::require, "timer");
    const auto asked = session_expires(request);
    const bool we_want = config_.mode != Mode::accept;
    if (!asked && !we_want) {
        interval_.reset();
        refresh_at_ = expires_at_ = Time::max();
        return {};
    }
    // We may lower what they ask for, but not below their minimum (section 9, table 2).
    auto interval = asked ? seconds{asked->interval} : config_.interval;
    if (we_want) interval = std::min(interval, config_.interval);
    interval = std::max({interval, min_se(request).value_or(absolute_minimum), config_.minimum});
    if (asked) interval = std::min(interval, std::max(seconds{asked->interval}, config_.minimum));
    const bool they_refresh =
        supported && !(asked && asked->refresher == SessionExpires::Refresher::uas);
    start(interval, !they_refresh, now);
    return fmt::format("{};refresher={}", interval.count(), they_refresh ? "uac" : "uas");
}

void SessionTimer::start(seconds interval, bool we_refresh, Time now) {
    // A peer that agrees to less than it may would have us refresh without end.
    interval = std::max(interval, absolute_minimum);
    interval_ = interval;
    we_refresh_ = we_refresh;
    const auto end = now + interval;
    refresh_at_ = we_refresh ? now + interval / 2 : Time::max();
    expires_at_ = end - std::min(farewell, interval / 3);
}

Time SessionTimer::deadline() const { return std::min(refresh_at_, expires_at_); }

SessionTimer::Due SessionTimer::tick(Time now) {
    if (now >= expires_at_) {
        refresh_at_ = expires_at_ = Time::max();
        return Due::expired;
    }
    if (now < refresh_at_) return Due::nothing;
    refresh_at_ = Time::max();
    return Due::refresh;
}

}  // namespace strowger::sip
