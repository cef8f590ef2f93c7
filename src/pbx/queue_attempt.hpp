#pragma once

#include <memory>
#include <vector>

#include "pbx/bridge.hpp"
#include "pbx/dial_target.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/queues.hpp"

namespace strowger::pbx {

/// One round of ringing members of a queue for a caller, who goes on hearing what plays.
///
/// The first group rings; when all of it has refused, the next. Ends when somebody answers, the
/// time is over or nobody is left, or with the caller.
class QueueAttempt {
public:
    struct Outcome {
        enum class What { nobody, answered, caller_left, digit };
        What what = What::nobody;
        ChannelPtr agent;
        std::shared_ptr<QueueMember> member;
        Duration rang{};
        char digit = 0;  ///< that the caller pressed, when `ends_by_digit` said so
    };

    QueueAttempt(Channel& caller, Queues& queues, Queue& queue, QueueCaller& place,
                 const OptionLetters& options, Bridge::Starter starter);
    ~QueueAttempt();
    QueueAttempt(const QueueAttempt&) = delete;
    QueueAttempt& operator=(const QueueAttempt&) = delete;

    /// Whether a digit of the caller ends it.
    std::function<bool(char)> ends_by_digit;

    /// `app_limit` is when the caller's time in the queue is over.
    Task<Outcome> run(Time app_limit);
    bool rang_anybody() const { return rang_anybody_; }

private:
    struct Leg {
        ChannelPtr channel;
        std::shared_ptr<QueueMember> member;
        Time began;
    };

    Time deadline(Time app_limit) const;
    Task<> ring_next_group();
    Task<bool> ring(std::shared_ptr<QueueMember> member, DialTarget target);
    Task<> sound_ringing();
    void introduce(Channel& leg, const QueueMember& member) const;
    Leg take(const Channel& channel);
    void not_answered(const Leg& leg, bool pauses);
    void refused(const Leg& leg, Cause cause);
    void hang_up_others(Cause cause);

    Channel& caller_;
    Queues& queues_;
    Queue& queue_;
    QueueCaller& place_;
    const OptionLetters& options_;
    Bridge::Starter starter_;
    EventQueue events_;
    Queue::Groups groups_;
    std::size_t next_group_ = 0;
    std::vector<Leg> legs_;
    bool rang_anybody_ = false;
    bool sounds_ringing_ = false;
    int redirections_ = 0;
};

}  // namespace strowger::pbx
