#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "wire/sip/message.hpp"

namespace strowger::sip {

/// How long a call may stand without a sign of life (RFC 4028), negotiated per INVITE, UPDATE and
/// 2xx.
///
/// Tells when we are to refresh, or when the other side has failed to. It sends nothing itself.
class SessionTimer {
public:
    enum class Mode : std::uint8_t {
        off,       ///< never mention it
        accept,    ///< take part when the other side asks
        request,   ///< ask for it on our own INVITEs and answers too
        required,  ///< and refuse who cannot
    };
    struct Config {
        Mode mode = Mode::accept;
        std::chrono::seconds interval{1800};
        std::chrono::seconds minimum{90};  ///< Min-SE; RFC 4028 allows none below 90 s
    };
    enum class Due : std::uint8_t { nothing, refresh, expired };

    explicit SessionTimer(Config config);

    // Our request (section 7.1): values to put into it; empty means no such header.
    std::string request_session_expires() const;
    std::string request_min_se() const;
    /// A 422 came (section 7.3): true when its Min-SE lets us try again.
    bool raise_minimum(const Message& response_422);
    /// The 2xx to our request (section 7.2).
    void negotiated_as_uac(const Message& response, Time now);

    // A request of theirs (section 9): 0, or 422, or 421 when we require what they cannot.
    int judge(const Message& request) const;
    /// Value of Session-Expires for our 2xx, "" for none; the timer runs from now on.
    std::string accept_as_uas(const Message& request, Time now);
    /// Whether that 2xx also needs `Require: timer`: the other side is to refresh.
    bool requires_timer() const { return interval_ && !we_refresh_; }

    bool active() const { return interval_.has_value(); }
    bool we_refresh() const { return we_refresh_; }
    std::chrono::seconds minimum() const { return config_.minimum; }
    Time deadline() const;
    /// What has come due: `refresh` once per period, at half the interval; `expired` once, shortly
    /// before the interval ends (section 10).
    Due tick(Time now);

private:
    void start(std::chrono::seconds interval, bool we_refresh, Time now);

    Config config_;
    std::optional<std::chrono::seconds> interval_;
    bool we_refresh_ = false;
    Time refresh_at_ = Time::max();
    Time expires_at_ = Time::max();
};

}  // namespace strowger::sip
