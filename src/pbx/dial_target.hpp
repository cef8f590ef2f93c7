#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/task.hpp"
#include "pbx/bridge.hpp"
#include "pbx/core.hpp"
#include "pbx/sip_channel.hpp"

namespace strowger::pbx {

/// One destination of Dial: "PJSIP/bob", "PJSIP/bob/sip:bob@192.0.2.7:5060",
/// "PJSIP/0701234567@trunk", "Local/100@from-internal/n".
struct DialTarget {
    std::string technology;
    std::string resource;

    /// Destinations are joined with '&'.
    static std::vector<DialTarget> parse_list(std::string_view text);
};

/// A leg towards it, not yet dialled, with where to dial.
struct PreparedLeg {
    std::shared_ptr<SipChannel> channel;
    SipChannel::Target target;
};

/// Finds endpoint, contact and next hop. Fails with the reason why it cannot be reached.
Task<Result<PreparedLeg>> prepare_leg(Core& core, DialTarget target, std::string linkedid);

/// A leg of any technology, made but not dialled: whoever dials it sets first who calls, listens to
/// it, and gives it variables.
class OutgoingLeg {
public:
    static Task<Result<OutgoingLeg>> make(Core& core, DialTarget target, std::string linkedid);

    const ChannelPtr& channel() const { return channel_; }
    /// `preferred` are the codecs to be offered first. `starter` begins the far half of a Local
    /// pair.
    Task<Result<>> dial(Bridge::Starter starter, std::vector<media::CodecSpec> preferred);

private:
    ChannelPtr channel_;
    SipChannel::Target target_;  ///< of a SIP leg
};

}  // namespace strowger::pbx
