#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ini.hpp"

namespace strowger::pbx::config {

/// queues.conf [general].
struct QueueGeneral {
    bool persistentmembers = false;
    bool autofill = false;
    bool shared_lastcall = false;
    bool negative_penalty_invalid = false;
    bool log_membername_as_agent = false;
    bool log_restricted_caller_id = true;
    bool enable_cidname_logging = false;
    bool force_longest_waiting_caller = false;
};

/// queues.conf: one queue.
struct Queue {
    enum class Strategy : std::uint8_t {
        ringall,
        leastrecent,
        fewestcalls,
        random,
        rrmemory,
        rrordered,
        linear,
        wrandom
    };
    /// What makes a member not count, for joinempty and leavewhenempty: a set of bits.
    enum Empty : std::uint8_t {
        paused = 1,
        penalty = 2,
        inuse = 4,
        ringing = 8,
        unavailable = 16,
        invalid = 32,
        unknown = 64,
        wrapup = 128
    };
    /// `member => interface[,penalty[,name[,state interface[,ringinuse[,wrapuptime[,paused]]]]]]`
    struct Member {
        std::string interface;  ///< "PJSIP/alice"
        int penalty = 0;
        std::string name;             ///< empty: the interface
        std::string state_interface;  ///< empty: the interface
        std::optional<bool> ringinuse;
        std::optional<unsigned> wrapuptime;
        bool paused = false;
    };
    enum class AutoPause : std::uint8_t { no, yes, all };
    enum class AnnouncePosition : std::uint8_t { no, yes, limit, more };
    enum class AnnounceHoldtime : std::uint8_t { no, yes, once };

    std::string name;
    ini::Place place;
    Strategy strategy = Strategy::ringall;
    std::vector<Member> members;
    std::string musicclass;
    std::string announce;              ///< to the member, before it talks
    std::string queue_callerannounce;  ///< to the caller, before it talks
    std::string context;               ///< of digits that lead out of the queue
    std::string membergosub;
    std::string defaultrule;
    std::string monitor_format;
    unsigned servicelevel = 0;  ///< seconds
    int penaltymemberslimit = 0;
    unsigned timeout = 15, retry = 5;  ///< seconds
    bool timeout_is_apps = true;       ///< timeoutpriority = app
    int weight = 0;
    unsigned wrapuptime = 0;
    bool autofill = false;
    AutoPause autopause = AutoPause::no;
    unsigned autopausedelay = 0;
    bool autopausebusy = false, autopauseunavail = false;
    unsigned maxlen = 0;  ///< 0: as many as come
    bool setinterfacevar = false, setqueueentryvar = false, setqueuevar = false;
    std::uint8_t joinempty = 0, leavewhenempty = 0;  ///< Empty
    bool reportholdtime = false;
    bool ringinuse = true;
    unsigned memberdelay = 0;
    bool timeoutrestart = false;

    unsigned announce_frequency = 0, min_announce_frequency = 15;
    unsigned periodic_announce_frequency = 0;
    std::optional<unsigned> periodic_announce_startdelay;
    bool random_periodic_announce = false, relative_periodic_announce = false;
    AnnounceHoldtime announce_holdtime = AnnounceHoldtime::no;
    AnnouncePosition announce_position = AnnouncePosition::yes;
    unsigned announce_position_limit = 5;
    bool announce_to_first_user = false;
    bool announce_position_only_up = false;
    unsigned announce_round_seconds = 0;
    std::vector<std::string> periodic_announce{"queue-periodic-announce"};
    std::string youarenext = "queue-youarenext";
    std::string thereare = "queue-thereare";
    std::string callswaiting = "queue-callswaiting";
    std::string quantity1 = "queue-quantity1";
    std::string quantity2 = "queue-quantity2";
    std::string holdtime = "queue-holdtime";
    std::string minute = "queue-minute";
    std::string minutes = "queue-minutes";
    std::string seconds = "queue-seconds";
    std::string thankyou = "queue-thankyou";
    std::string reporthold = "queue-reporthold";

    static constexpr std::size_t max_members = 10'000;
};

/// queuerules.conf: what a caller's limits of penalty become while it waits.
struct QueueRule {
    struct Limit {
        int value = 0;
        bool relative = false;
    };
    struct Change {
        unsigned after = 0;  ///< seconds
        std::optional<Limit> max, min, raise;
    };
    std::string name;
    std::vector<Change> changes;  ///< by time

    static constexpr std::size_t max_changes = 1000;
};

}  // namespace strowger::pbx::config
