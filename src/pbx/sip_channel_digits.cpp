#include <fmt/format.h>

#include "pbx/bridge.hpp"
#include "pbx/call_features.hpp"
#include "pbx/sip_channel.hpp"

/// What a phone says and hears by INFO: digits, and its record button.
namespace strowger::pbx {

namespace {

using sip::HeaderId;
using sip::Method;

// A digit that lasts longer is a phone that forgot to let go.
constexpr unsigned longest_digit_ms = 10000;

}  // namespace

// application/dtmf-relay ("Signal=5\r\nDuration=160") and application/dtmf ("5").
void SipChannel::info(const sip::session::RequestArrived& event) {
    const auto now = core().now();
    const auto& message = event.request->message();
    if (const auto button = message.header("Record")) {
        const bool may = endpoint_->one_touch_recording && bridge;
        session_->answer(event, may ? 200 : 403, now);
        const bool on = iequals(trim(*button), "on");
        const auto& feature = on ? endpoint_->record_on_feature : endpoint_->record_off_feature;
        if (may && (iequals(feature, "automixmon") || iequals(feature, "automon")))
            core().tasks.spawn(toggle_recording(shared_from_this(), bridge->peer_of(*this)));
        return;
    }
    if (pass_media_control(event)) return;
    const auto type =
        trim(split_once(message.header(HeaderId::content_type).value_or(""), ';').first);
    std::string_view signal;
    unsigned milliseconds = 100;
    if (iequals(type, "application/dtmf-relay")) {
        for (const auto line : split(message.body(), '\n')) {
            const auto [key, value] = split_once(line, '=');
            if (iequals(trim(key), "Signal")) signal = trim(value);
            if (iequals(trim(key), "Duration"))
                milliseconds = parse_number<unsigned>(trim(value)).value_or(100);
        }
    } else if (iequals(type, "application/dtmf")) {
        signal = trim(message.body());
    } else {
        session_->answer(event, message.body().empty() ? 200 : 415, now);
        return;
    }
    digit_by_info(event, signal, milliseconds);
}

void SipChannel::digit_by_info(const sip::session::RequestArrived& event, std::string_view signal,
                               unsigned milliseconds) {
    const auto now = core().now();
    if (signal == "10") signal = "*";
    if (signal == "11") signal = "#";
    static constexpr std::string_view digits = "0123456789*#ABCDabcd";
    if (signal.size() != 1 || digits.find(signal.front()) == std::string_view::npos) {
        session_->answer(event, 400, now);
        return;
    }
    session_->answer(event, 200, now);
    const auto duration = std::chrono::milliseconds{std::min(milliseconds, longest_digit_ms)};
    const char digit =
        signal.front() >= 'a' ? static_cast<char>(signal.front() - 32) : signal.front();
    core().events.publish(events::DtmfReceived{name(), uniqueid(), digit, duration});
    // Its media does not carry the digit to whom it talks to, as that of others does. The bridge
    // passes on what the other one wants as INFO, or where a Local half stands between.
    const auto peer = bridge ? bridge->peer_of(*this) : nullptr;
    if (peer && !peer->wants_digits_signalled()) peer->send_digit(digit, duration);
    if (takes_digit && takes_digit(digit)) return;
    raise(channel::Digit{digit, duration});
}

// `auto_info` is INFO where telephone-event was not agreed on.
bool SipChannel::sends_info() const {
    if (endpoint_->dtmf_mode == config::DtmfMode::info) return true;
    return endpoint_->dtmf_mode == config::DtmfMode::auto_info && !has_events_;
}

void SipChannel::send_digit(char digit, Duration duration) {
    if (!sends_info()) {
        Channel::send_digit(digit, duration);
        return;
    }
    if (hung_up() || !session_) return;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    (void)session_->request(Method::info, core().now(), {},
                            fmt::format("Signal={}\r\nDuration={}\r\n", digit, ms),
                            "application/dtmf-relay");
    drain();
}

}  // namespace strowger::pbx
