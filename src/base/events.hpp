#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"

namespace strowger::events {

/// What happens in the exchange (contract 2). Plain values; whoever reads them (AMI, CDR, metrics,
/// the console, tests) sees the same stream, and those that publish know none of the readers.

struct RegistrationChanged {
    std::string endpoint;
    std::string aor;
    std::string contact;
    std::string user_agent;
    SocketAddress from;
    bool registered;  ///< false: removed or expired
    Duration expires;
};

/// A contact answered, or stopped answering, our qualifying OPTIONS.
struct ContactStatus {
    std::string aor;
    std::string contact;
    bool reachable;
    Duration round_trip;
};

struct ChannelChanged {
    enum class What { created, state, caller_id, dialplan_step, hangup };
    What what;
    std::string channel;  ///< "PJSIP/alice-00000001"
    std::string uniqueid;
    std::string linkedid;  ///< the uniqueid of the channel that began the call
    std::string call_id;   ///< SIP Call-ID of the leg
    std::string state;     ///< "Down", "Ring", "Ringing", "Up"
    std::string caller_number;
    std::string caller_name;
    std::string context;
    std::string extension;
    std::string priority;
    std::string application;  ///< dialplan_step: what is about to run, and its arguments
    std::string arguments;
    int cause = 0;
};

struct DialChanged {
    bool ended;
    std::string channel;
    std::string destination;
    std::string dial_string;
    std::string status;  ///< DIALSTATUS once ended
};

struct BridgeChanged {
    enum class What { created, entered, left, destroyed };
    What what;
    std::string bridge;
    std::string channel;
    std::string uniqueid;
};

/// A conference, and who is in it.
struct ConferenceChanged {
    enum class What {
        started,
        ended,
        joined,
        left,
        muted,
        unmuted,
        talking,
        silent,
        locked,
        unlocked,
        record_started,
        record_stopped
    };
    What what;
    std::string conference;
    std::string channel;  ///< empty where it concerns all
    std::string uniqueid;
    bool admin = false;
};

struct DtmfReceived {
    std::string channel;
    std::string uniqueid;
    char digit;
    Duration duration;
};

/// Reported once a leg's media ends; see media::StreamStats for the meaning of the figures.
struct MediaQuality {
    std::string channel;
    std::string uniqueid;
    std::string call_id;
    std::string codec;
    std::uint64_t packets_received, packets_sent, lost;
    double jitter_ms, loss_percent, mos, round_trip_ms;
};

/// Failed and successful authentication, as readers that ban or audit want it. Every request makes
/// one, so its texts are borrowed: they are there while the reader is called.
struct Security {
    enum class What {
        failed_acl,
        invalid_account,
        challenge_response_failed,
        challenge_sent,
        successful_auth,
        request_not_supported,
    };
    What what;
    std::string_view account;
    std::string_view call_id;
    std::string_view transport;  ///< "UDP", "TCP", "TLS", "WS", "WSS"
    SocketAddress local;
    SocketAddress remote;
    std::string_view detail;
};

/// A Custom: device was set. The states of other devices follow from the events above.
struct DeviceStateChanged {
    std::string device;  ///< "Custom:lamp"
    std::string state;   ///< "INUSE"
};

/// UserEvent() of the dialplan.
struct UserEvent {
    std::string channel;
    std::string uniqueid;
    std::string name;
    std::vector<std::pair<std::string, std::string>> headers;
};

/// A caller or a member of a call queue.
struct QueueChanged {
    enum class What {
        caller_joined,
        caller_left,       ///< for an agent, or the dialplan
        caller_abandoned,  ///< hung up
        agent_called,
        agent_no_answer,
        agent_connected,
        agent_dumped,  ///< hung up before he heard the caller
        agent_completed,
        member_added,
        member_removed,
        member_changed,  ///< paused, penalty, ringinuse
    };
    What what;
    std::string queue;
    std::string channel, uniqueid;                    ///< the caller's
    std::string member, member_name;                  ///< "PJSIP/alice" and who that is
    std::string member_channel;                       ///< its leg
    std::size_t position = 0, original_position = 0;  ///< from 1
    std::size_t count = 0;                            ///< callers that wait
    Duration hold{}, talk{};
    bool paused = false, dynamic = false, ring_in_use = false;
    int penalty = 0;
    std::string reason;
};

struct ConfigurationLoaded {
    bool accepted;
    std::size_t errors;
    std::size_t warnings;
};

using Event = std::variant<RegistrationChanged, ContactStatus, ChannelChanged, DialChanged,
                           BridgeChanged, ConferenceChanged, DtmfReceived, MediaQuality, Security,
                           DeviceStateChanged, UserEvent, QueueChanged, ConfigurationLoaded>;

/// The one stream of a process; belongs to one thread.
class Stream {
public:
    using Handler = std::function<void(const Event&)>;

    /// Reads from now on, until the returned handle is destroyed. Handlers must not block; they may
    /// subscribe and unsubscribe while being called.
    [[nodiscard]] std::shared_ptr<void> subscribe(Handler handler) {
        auto entry = std::make_shared<Handler>(std::move(handler));
        readers_.push_back(entry);
        return entry;
    }

    void publish(const Event& event) {
        for (std::size_t i = 0; i < readers_.size();) {
            if (const auto reader = readers_[i].lock()) {
                (*reader)(event);
                ++i;
            } else {
                readers_.erase(readers_.begin() + static_cast<std::ptrdiff_t>(i));
            }
        }
    }

    bool has_readers() const { return !readers_.empty(); }

private:
    std::vector<std::weak_ptr<Handler>> readers_;
};

}  // namespace strowger::events
