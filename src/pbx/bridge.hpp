#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "io/completion.hpp"
#include "pbx/channel.hpp"
#include "pbx/feature_digits.hpp"

namespace strowger::pbx {

/// How a member's time in a bridge ended.
struct Released {
    enum class Why {
        self_gone,
        peer_gone,
        transferred,
        feature_hangup,
        duration_over,
        consultation
    };
    Why why = Why::peer_gone;
    Cause cause = Cause::normal_clearing;
    std::optional<dialplan::Position> target;  ///< transferred: where to go on
    Feature asked = Feature::none;             ///< consultation: what the member dialled
};

/// A member's place in a bridge, kept while it is elsewhere: who waits for it, and what it may do.
struct Seat {
    ChannelPtr channel;
    std::optional<io::Completion<Released>> waiting;
    DigitFeatures features;
};

/// How long two may talk, and what the one or the other hears before that (Dial's L and S).
struct TalkLimit {
    Duration length{};
    Duration warning{};  ///< so long before the end; zero: none
    Duration repeat{};   ///< then again and again; zero: once
    std::string sound;   ///< full path of the warning
    bool warns_caller = true, warns_callee = false;
};

/// Tells whoever waits for a seat that its time is over, or does for a channel without a dialplan
/// what follows from that: it goes where it was sent, or hangs up.
void let_go(const Seat& seat, Released how,
            const std::function<void(ChannelPtr, dialplan::Position)>& starter);

/// Two channels that talk. Joins their media, listens to both, and lets go of each when the other
/// has gone or been sent elsewhere. A third may step in (atxferthreeway): then their media are
/// mixed until two are left.
///
/// A member with a dialplan waits in `talk`; one without (a leg that was dialled) is hung up when
/// it is left alone, or starts a dialplan of its own when it is transferred. Members may be
/// exchanged while they talk (attended transfer), which the one that stays does not notice.
class Bridge : public ChannelListener, public std::enable_shared_from_this<Bridge> {
public:
    /// Has a channel go on at a place in the dialplan, whether or not it runs one already: given by
    /// the exchange.
    using Starter = std::function<void(ChannelPtr, dialplan::Position)>;

    Bridge(Core& core, Starter starter);
    ~Bridge() override;

    /// Two channels, both answered. Fails when their media cannot be joined.
    static Task<Result<std::shared_ptr<Bridge>>> join(Core& core, Starter starter, ChannelPtr a,
                                                      ChannelPtr b);
    void allow(const Channel& member, DigitFeatures features);
    /// Ends the talk then. The caller is who came first.
    void limit(TalkLimit limit);

    /// Waits until the member is let go of.
    Task<Released> talk(ChannelPtr member);

    /// REFER with Replaces, or the end of an attended transfer: `leaving` (who goes) is replaced by
    /// `coming`, which leaves the bridge that it is in.
    Task<bool> replace(ChannelPtr leaving, ChannelPtr coming);
    /// Takes a member out for a while: the other stays, alone, and nobody is told. Nothing when it
    /// is not here.
    std::optional<Seat> step_out(const Channel& member);
    /// Back on its seat, or another on one; their media are joined. False when that failed.
    Task<bool> step_in(Seat seat);
    /// Takes a channel in from the bridge that it is in, whose other member is let go of.
    Task<bool> admit(ChannelPtr coming);
    /// Whoever is here alone will stay so.
    void close();
    /// Whether the last member is kept when the other one goes, for an owner who has something in
    /// store for it. Not as a rule.
    void keep_last(bool keep) { keeps_last_ = keep; }
    /// Is told when a member hangs up, after it was dealt with; nullptr ends that.
    void watch(ChannelListener* watcher) { watcher_ = watcher; }
    /// Sends everybody but `by` to a place in the dialplan.
    bool transfer_peer(const Channel& by, const dialplan::Position& target);

    ChannelPtr peer_of(const Channel& member) const;
    const std::string& id() const { return id_; }
    bool has(const Channel& channel) const;

    void channel_event(Channel& channel, const ChannelEvent& event) override;

private:
    struct Member {
        ChannelPtr channel;
        std::optional<io::Completion<Released>> waiting;
        DigitFeatures features;
        FeatureDigits digits;
        CodeDigits dynamic;  ///< of DYNAMIC_FEATURES
        std::string target;  ///< of a blind transfer, as far as it was dialled
        bool collecting_target = false;
        io::Timer digit_timer;
        bool on_hold = false;
    };

    Member* find(const Channel& channel);
    void add(ChannelPtr channel);
    /// Takes it out; whoever is left alone is let go of as well.
    void release(const Channel& channel, Released how);
    void remove(const Channel& channel);
    void digit(Member& member, char digit);
    void target_digit(Member& member, char digit);
    void act(Member& member, Feature feature);
    /// A digit, or a pause, may complete the code of an application. True: it did, and runs.
    bool dynamic(Member& member, std::optional<char> pressed);
    void begin_blind_transfer(Member& member);
    void finish_target(Channel& by);
    void warn();
    Task<Result<>> connect_media();
    Task<Result<>> mix_media();
    void told(events::BridgeChanged::What what, const Channel* channel) const;

    Core& core_;
    Starter starter_;
    std::string id_;
    std::vector<std::unique_ptr<Member>> members_;
    TalkLimit talk_limit_;
    io::Timer limit_, warning_;
    ChannelListener* watcher_ = nullptr;
    bool keeps_last_ = false;
};

}  // namespace strowger::pbx
