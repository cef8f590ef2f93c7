#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "io/completion.hpp"
#include "pbx/channel.hpp"

namespace strowger::pbx {

/// How a member's time in a bridge ended.
struct Released {
    enum class Why { self_gone, peer_gone, transferred, feature_hangup, duration_over };
    Why why = Why::peer_gone;
    Cause cause = Cause::normal_clearing;
    std::optional<dialplan::Position> target;  ///< transferred: where to go on
};

/// What one member may do with digits while it talks (Dial's options of the same letters).
struct DigitFeatures {
    bool transfer = false;    ///< t, T: blind transfer
    bool disconnect = false;  ///< h, H
};

/// Two channels that talk. Joins their media, listens to both, and lets go of each when the other has
/// gone or been sent elsewhere.
///
/// A member with a dialplan waits in `talk`; one without (a leg that was dialled) is hung up when it is
/// left alone, or starts a dialplan of its own when it is transferred. Members may be exchanged while
/// they talk (attended transfer), which the one that stays does not notice.
class Bridge : public ChannelListener, public std::enable_shared_from_this<Bridge> {
public:
    /// Starts a dialplan on a channel that has none: given by the exchange.
    using Starter = std::function<void(ChannelPtr, dialplan::Position)>;

    Bridge(Core& core, Starter starter);
    ~Bridge() override;

    /// Two channels, both answered. Fails when their media cannot be joined.
    static Task<Result<std::shared_ptr<Bridge>>> join(Core& core, Starter starter, ChannelPtr a, ChannelPtr b);
    void allow(const Channel& member, DigitFeatures features);
    /// Ends the talk at that time (Dial's L and S).
    void limit(Duration duration);

    /// Waits until the member is let go of.
    Task<Released> talk(ChannelPtr member);

    /// REFER with Replaces, or the end of an attended transfer: `leaving` (who goes) is replaced by
    /// `coming`, which leaves the bridge that it is in.
    Task<bool> replace(ChannelPtr leaving, ChannelPtr coming);
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
        std::string digits;  ///< typed so far of a feature code
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
    void finish_target(Channel& by);
    Task<Result<>> connect_media();
    void told(events::BridgeChanged::What what, const Channel* channel) const;

    Core& core_;
    Starter starter_;
    std::string id_;
    std::vector<std::unique_ptr<Member>> members_;
    io::Timer limit_;
};

}  // namespace strowger::pbx
