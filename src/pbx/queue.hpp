#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "pbx/config/queue.hpp"
#include "pbx/device_state.hpp"

namespace strowger::pbx {

/// Somebody who takes calls of a queue.
struct QueueMember {
    std::string interface;  ///< what is dialled: "PJSIP/alice"
    std::string name;       ///< who that is in logs; the interface where nothing else is known
    std::string state_interface;  ///< whose device state counts: "PJSIP/alice", "hint:100@house"
    int penalty = 0;
    bool paused = false;
    std::string pause_reason;
    bool dynamic = false;  ///< by AddQueueMember, not by the file
    bool ring_in_use = true;
    std::optional<bool> own_ring_in_use = {};  ///< differs from the queue's
    std::optional<unsigned> wrapuptime = {};   ///< seconds; without: the queue's
    unsigned calls = 0;                        ///< taken
    std::optional<Time> last_call = {};        ///< when the last one ended
    std::optional<Time> last_pause = {};
    Time since{};          ///< member of the queue
    bool in_call = false;  ///< talks to a caller of this queue
    unsigned ringing = 0;  ///< legs of callers of this queue that ring it
    bool in_file = false;  ///< for reloads
};

/// Which members one caller may have (QUEUE_MAX_PENALTY and its like).
struct PenaltyLimits {
    std::optional<int> max, min;
    int raise = 0;  ///< lower penalties count as this

    /// A rule of queuerules.conf: changes only what is set.
    void apply(const config::QueueRule::Change& change);
    bool allow(int penalty) const { return (!max || penalty <= *max) && (!min || penalty >= *min); }
};

/// One caller in line. Its owner takes it out of the queue before it goes.
struct QueueCaller {
    std::string channel, uniqueid;
    std::string number, name;
    int priority = 0;
    unsigned original_position = 0;  ///< from 1
    Time joined{};
    PenaltyLimits limits;
    bool is_ringing = false;          ///< has members rung
    bool is_being_connected = false;  ///< an agent has answered, and hears of it
    std::string last_tried;           ///< interface; strategy linear goes on behind it
    std::function<void()> wake;       ///< something changed: have a look
};

/// A call queue while it runs: who waits, who answers, and whose turn it is. Decides only; ringing
/// and talking is the business of the callers' own coroutines.
class Queue : public std::enable_shared_from_this<Queue> {
public:
    using State = std::function<DeviceState(const QueueMember&)>;

    Queue(std::string name, State state, std::function<Time()> now, Random& random)
        : name_(std::move(name)), state_(std::move(state)), now_(std::move(now)), random_(random) {}

    const std::string& name() const { return name_; }
    const config::Queue& settings() const { return *settings_; }
    /// Takes settings (at first, and by a reload). Members of the file come, change and go; dynamic
    /// ones and what is known of all of them stay.
    void configure(std::shared_ptr<const config::Queue> settings, Time now);

    const std::vector<std::shared_ptr<QueueMember>>& members() const { return members_; }
    std::shared_ptr<QueueMember> find(std::string_view interface) const;
    void add(std::shared_ptr<QueueMember> member) { members_.push_back(std::move(member)); }
    void remove(const QueueMember& member);

    const std::vector<QueueCaller*>& callers() const { return callers_; }
    /// By priority, then by time; `position` (from 1) overrules that. Sets its original position.
    void join(QueueCaller& caller, std::optional<unsigned> position = {});
    void leave(const QueueCaller& caller);
    unsigned position_of(const QueueCaller& caller) const;  ///< from 1; 0: not in line
    /// Has every caller in line look what it can do. From the loop only: they act at once.
    void wake();

    /// The reasons (config::Queue::Empty) why a member does not count for somebody with such
    /// limits.
    std::uint8_t absences(const QueueMember& member, const PenaltyLimits& limits) const;
    /// No member counts, by `conditions` of joinempty or leavewhenempty. Never when there are none.
    bool is_empty(std::uint8_t conditions, const PenaltyLimits& limits) const;
    /// Could be rung now.
    bool is_callable(const QueueMember& member) const;
    /// Whether this caller may have members rung: with autofill as many of the first as there are
    /// free members, else only the first.
    bool is_turn_of(const QueueCaller& caller) const;
    /// Members for a caller, in the order of ringing; those of one group are rung at once.
    using Groups = std::vector<std::vector<std::shared_ptr<QueueMember>>>;
    Groups order(const QueueCaller& caller) const;
    /// They were rung: where round robin goes on.
    void rung(const QueueMember& member) { last_rung_ = member.interface; }
    Duration wrapup_left(const QueueMember& member) const;

    struct Statistics {
        unsigned completed = 0, abandoned = 0;
        unsigned completed_in_time = 0, abandoned_in_time = 0;  ///< within servicelevel
        Duration hold{}, talk{};                                ///< running averages
    };
    const Statistics& statistics() const { return statistics_; }
    void reset_statistics();
    void connected_after(Duration hold);
    void completed_after(Duration talk) { average(statistics_.talk, talk); }
    void abandoned_after(Duration hold);
    double service_level() const;  ///< per cent of the answered calls

    /// Whether a busier or more important queue wants a member first. Set by the owner of all.
    std::function<bool(const Queue&, const QueueMember&)> is_wanted_elsewhere;

private:
    static void average(Duration& mean, Duration value) { mean = (3 * mean + value) / 4; }
    int metric_penalty(const QueueMember& member, const PenaltyLimits& limits) const;

    std::string name_;
    State state_;
    std::function<Time()> now_;
    Random& random_;
    std::shared_ptr<const config::Queue> settings_;
    std::vector<std::shared_ptr<QueueMember>> members_;  // shared with callers that ring them
    std::vector<QueueCaller*> callers_;
    std::string last_rung_;
    Statistics statistics_;
};

std::string_view text_of(config::Queue::Strategy strategy);  ///< "ringall"

}  // namespace strowger::pbx
