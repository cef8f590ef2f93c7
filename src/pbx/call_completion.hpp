#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "pbx/bridge.hpp"
#include "pbx/channel.hpp"
#include "pbx/dialplan/applications.hpp"
#include "pbx/dialplan/functions.hpp"

namespace strowger::pbx {

/// "PJSIP/alice" of "PJSIP/alice-00000001".
std::string device_of(const Channel& channel);

/// What CALLCOMPLETION() says for one channel: whether its calls may be completed later, whether
/// calls to it may, and how long everything waits.
struct CompletionSettings {
    bool is_agent = false;      ///< cc_agent_policy=generic: as a caller
    bool is_monitored = false;  ///< cc_monitor_policy=generic: as a called party
    unsigned offer = 20;        ///< seconds, as all of these: to ask for it
    unsigned busy = 4800;       ///< for the called device to become free
    unsigned unanswered = 7200;
    unsigned recall = 20;       ///< so long the caller's phone rings
    unsigned max_agents = 5;    ///< requests of one caller
    unsigned max_monitors = 5;  ///< requests for one called party
    std::string dial_string;    ///< how the caller is called back; empty: its device

    /// Those of that channel, or the default ones.
    static const CompletionSettings& of(const Channel& channel);
    /// Its own from now on.
    static CompletionSettings& own(Channel& channel);
};

/// Call completion (ETSI EN 300 359, EN 301 065; no signalling of theirs): a call found its party
/// busy (CCBS) or unanswered (CCNR), its caller asks for it to be completed, and is called back
/// once the called device is free, or has been used and is free again.
///
/// Shared by Dial, which offers, and the applications that ask and cancel. One offer and several
/// requests a calling device; belongs to one thread.
class CallCompletions {
public:
    /// Devices with a call that could be completed; each is forgotten after its timer.
    static constexpr std::size_t max_offers = 10000;
    /// The longest that a timer may be set to, in seconds.
    static constexpr unsigned longest = 86400;

    /// CC_REQUEST_REASON
    enum class Refusal : std::uint8_t { none, no_core_instance, too_many_requests };

    /// A call of `caller` to that device failed; it may ask for it for a while.
    void offer(const Channel& caller, std::string device, bool was_busy,
               const CompletionSettings& monitored);
    /// The last offer to the device of that channel becomes a request, which `complete` follows.
    Refusal request(const Channel& channel, std::uint64_t& id);
    /// Waits for the called device and then calls the caller back. `self` is the shared owner.
    static Task<> complete(std::shared_ptr<CallCompletions> self, Core& core,
                           Bridge::Starter starter, std::uint64_t id);
    /// The requests of the device of that channel. False: there are none.
    bool cancel(const Channel& channel);

private:
    struct Offer {
        std::string device;
        dialplan::Position position;  ///< what had been dialled
        PartyId caller;
        bool was_busy = false;
        CompletionSettings settings;  ///< the caller's, and the monitor's limits
        Time until;
    };
    struct Request {
        std::string agent;  ///< the calling device
        Offer offer;
    };
    static Task<bool> until_free(std::shared_ptr<CallCompletions> self, Core& core,
                                 std::uint64_t id);

    std::unordered_map<std::string, Offer> offers_;  ///< by calling device
    std::map<std::uint64_t, Request> requests_;
    std::uint64_t last_ = 0;
};

/// CallCompletionRequest, CallCompletionCancel.
void add_completion_applications(dialplan::Applications& applications, Bridge::Starter starter,
                                 std::shared_ptr<CallCompletions> completions);
/// CALLCOMPLETION.
void add_completion_functions(dialplan::Functions& functions);

}  // namespace strowger::pbx
