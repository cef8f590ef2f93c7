#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/time.hpp"
#include "pbx/cause.hpp"
#include "pbx/dialplan/position.hpp"

namespace strowger::pbx {

class Channel;

/// What a channel tells whoever is responsible for it at the moment: its dialplan, a Dial that
/// rings it, or the bridge that it is in.
namespace channel {

struct Ringing {};   ///< the dialled phone rings
struct Progress {};  ///< it sends early media
struct Answered {};
struct Redirected {
    std::string target;
    std::string reason = "unknown";  ///< why, as REDIRECTING(reason) says it
};  ///< 302: the user (or URI) to try instead
struct Digit {
    char digit;
    Duration duration;
};
struct PlayDone {
    std::uint64_t id;
    bool completed;
    std::string error;
    Duration played;
};
struct RecordDone {
    std::uint64_t id;
    std::string path;
    Duration duration;
    std::string reason;
};
struct Held {
    bool on;
};
struct MediaLost {
    Duration silence;
};
/// The party asks for the other one to be sent elsewhere (REFER without Replaces, or by digits).
struct TransferAsked {
    dialplan::Position target;
};
/// The far end is gone, or we ended it. Comes once and last.
struct HungUp {
    Cause cause;
};
/// The wait was ended from outside (SoftHangup, a timeout that outranks it).
struct Interrupted {};
/// Something has changed that its application has to look at (a conference).
struct Woken {};
/// It begins to talk, or ends, in a mix with talk detection.
struct Talking {
    bool on;
    Duration talked;  ///< at the end: for so long
};

}  // namespace channel

using ChannelEvent =
    std::variant<channel::Ringing, channel::Progress, channel::Answered, channel::Redirected,
                 channel::Digit, channel::PlayDone, channel::RecordDone, channel::Held,
                 channel::MediaLost, channel::TransferAsked, channel::HungUp, channel::Interrupted,
                 channel::Woken, channel::Talking>;

class ChannelListener {
public:
    virtual ~ChannelListener() = default;
    virtual void channel_event(Channel& channel, const ChannelEvent& event) = 0;
};

}  // namespace strowger::pbx
