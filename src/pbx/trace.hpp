#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/text.hpp"
#include "base/time.hpp"
#include "media/engine.hpp"
#include "pbx/cause.hpp"
#include "wire/sip/transmit.hpp"

namespace strowger::pbx {

/// The last calls, each as SIP, dialplan and media saw it: the answer to "why did this call fail?".
class Trace {
public:
    static constexpr std::size_t max_calls = 200;     ///< ended or not; the oldest go first
    static constexpr std::size_t max_messages = 300;  ///< of one call
    static constexpr std::size_t max_steps = 300;     ///< dialplan steps of one call
    static constexpr std::size_t max_early = 256;  ///< Call-IDs seen before they belong to a call

    struct Message {
        Time at;
        std::size_t leg;
        bool sent;
        std::string text;  ///< "INVITE (SDP)", "180 Ringing"
    };
    struct Step {
        Time at;
        std::string channel;
        std::string text;  ///< "from-internal,102,3 Dial(PJSIP/bob,30)"
    };
    struct Leg {
        std::string call_id;
        std::string channel;
        std::string endpoint;
        std::string peer;
        bool incoming = false;
        std::optional<media::PartyStats> media;
    };
    struct Call {
        std::string linkedid;
        WallTime began;
        Time start;
        std::optional<Time> answered, ended;
        Cause cause = Cause::none;
        std::string dialled;
        std::vector<Leg> legs;
        std::vector<Message> messages;
        std::vector<Step> steps;
    };

    /// A channel joined the call `linkedid` with that Call-ID. What was seen of the Call-ID before
    /// (the challenge, the first INVITE) is taken along.
    void leg_began(const std::string& linkedid, Leg leg, Time now, WallTime wall_now);
    void leg_answered(const std::string& linkedid, Time now);
    void leg_ended(const std::string& linkedid, const std::string& call_id,
                   std::optional<media::PartyStats> media, Cause cause, Time now);
    void step(const std::string& linkedid, std::string channel, std::string text, Time now);
    void set_dialled(const std::string& linkedid, std::string dialled);

    /// Every SIP message, in or out; what belongs to no call is remembered for a short while.
    void message(std::string_view bytes, bool sent, Time now);

    const Call* find(std::string_view linkedid_or_call_id) const;
    const Call* last() const { return order_.empty() ? nullptr : order_.back().get(); }
    const std::deque<std::shared_ptr<Call>>& calls() const { return order_; }

    static std::string json(const Call& call, Time now);
    static std::string text(const Call& call, Time now);

private:
    struct Early {
        std::string call_id;
        std::vector<Message> messages;
    };
    Call* by_linkedid(std::string_view linkedid) const;

    std::deque<std::shared_ptr<Call>> order_;
    /// The keys are the calls' own; every step of every dialplan comes by here.
    std::unordered_map<std::string_view, std::shared_ptr<Call>> by_linkedid_;
    std::unordered_map<std::string, std::pair<std::weak_ptr<Call>, std::size_t>, TextHash,
                       std::equal_to<>>
        by_call_id_;
    std::deque<Early> early_;
};

}  // namespace strowger::pbx
