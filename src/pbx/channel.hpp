#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/task.hpp"
#include "io/completion.hpp"
#include "media/engine.hpp"
#include "pbx/cause.hpp"
#include "pbx/config/endpoint.hpp"
#include "pbx/core.hpp"
#include "pbx/dialplan/call.hpp"
#include "pbx/event_queue.hpp"

namespace strowger::pbx {

class Bridge;
struct ConferenceProfiles;

/// A party as it is shown to others.
struct PartyId {
    std::string number;
    std::string name;
    bool restricted = false;  ///< not to be shown (privacy)
};

enum class ChannelState : std::uint8_t { down, ring, ringing, up };
std::string_view text_of(ChannelState state);  ///< "Down", "Ring", "Ringing", "Up"

/// One leg of a call: a phone, a trunk, or the half of a Local pair; and the place where its
/// dialplan runs.
///
/// Signalling is what derived classes do; media, waiting and the dialplan's view are common. After
/// the far end has gone every operation returns at once, so that logic written straight down ends
/// by itself; `hung_up` tells.
class Channel : public dialplan::Call, public std::enable_shared_from_this<Channel> {
public:
    Channel(Core& core, std::string technology, std::string resource, std::string linkedid);
    ~Channel() override;

    const std::string& name() const { return name_; }
    const std::string& technology() const { return technology_; }
    const std::string& uniqueid() const { return uniqueid_; }
    const std::string& linkedid() const { return linkedid_; }
    std::uint64_t serial() const { return serial_; }
    ChannelState state() const { return state_; }
    std::string_view state_text() const;  ///< as listings say it: "Down" once it has ended
    Time created() const { return created_; }
    std::optional<Time> answered_at() const { return answered_at_; }
    Core& core() const { return core_; }

    PartyId caller;       ///< who this channel is, or calls as
    PartyId connected;    ///< whom it talks to
    std::string dialled;  ///< the number that was dialled: CALLERID(dnid)
    std::string ani;      ///< the number that pays; empty: the caller's
    std::string caller_tag;
    /// Who sent the call elsewhere before it came here, and why (Diversion).
    struct Redirecting {
        PartyId original, from, to;
        std::string reason = "unknown";
        unsigned count = 0;
    };
    Redirecting redirecting;
    std::string language;
    std::string accountcode;
    std::string music_class = "default";
    std::string last_application, last_arguments;
    /// How long to wait for the next digit, and for the first (TIMEOUT()).
    Duration digit_timeout = std::chrono::seconds{5};
    Duration response_timeout = std::chrono::seconds{10};
    /// Set from failures of legs that this channel dialled: what Hangup() without argument uses.
    Cause cause = Cause::none;
    /// What became of each leg that this channel dialled, for HANGUPCAUSE().
    struct LegOutcome {
        std::string channel;
        Cause cause;
        std::string text;  ///< "SIP 486 Busy Here"
    };
    std::vector<LegOutcome> leg_outcomes;
    /// SHARED(): variables that other channels see.
    std::unordered_map<std::string, std::string, TextHash, std::equal_to<>> shared_variables;
    /// CHANNEL(hangup_handler_push): "ctx,ext,prio(args)", the newest last. See
    /// run_hangup_handlers.
    std::vector<std::string> hangup_handlers;
    std::vector<std::uint64_t> monitors;  ///< MixMonitors that run, by their ids in Recordings
    /// What CONFBRIDGE() has set for the next ConfBridge(). Shared, because only the conference
    /// knows what it is.
    std::shared_ptr<ConferenceProfiles> conference_profiles;
    /// Its own codes and times in calls (FEATUREMAP, FEATURE); null: those of features.conf.
    /// Shared, because legs inherit them.
    std::shared_ptr<const config::Features> own_features;
    bool passes_features_on = false;  ///< FEATURE(inherit): to the legs that it dials
    std::shared_ptr<const config::Features> features() const;
    /// What a leg that it dials takes over: variables that go on, and codes.
    void inherit_to(Channel& leg) const;
    /// VOLUME, DENOISE and AGC: of what it says, and of what it hears.
    media::SoundSettings says, hears;
    media::JitterSettings jitter;  ///< JITTERBUFFER
    /// What works beside its dialplan until the call ends (TALK_DETECT), by name.
    std::map<std::string, std::shared_ptr<void>, std::less<>> attached;
    /// Is asked first about each digit; true: nobody else gets it.
    std::function<bool(char)> takes_digit;
    std::string userfield, tone_zone;
    io::Timer absolute_timeout;  ///< TIMEOUT(absolute)
    Time absolute_timeout_at = Time::max();

    // Signalling, by the derived class. Nothing happens when it makes no sense any more.
    virtual void ring() = 0;                ///< towards a caller: 180
    virtual Task<Result<>> progress() = 0;  ///< towards a caller: early media, 183
    virtual Task<Result<>> answer() = 0;    ///< towards a caller: 200
    virtual void hangup(Cause cause) = 0;   ///< either way, in any state
    virtual void send_digit(char digit, Duration duration);
    /// Digits for it do not travel in media: whoever joins it to another calls `send_digit`.
    virtual bool wants_digits_signalled() const { return media_follows(); }
    virtual const std::string& call_id() const;  ///< SIP Call-ID; empty when there is none
    virtual std::shared_ptr<const config::Endpoint> endpoint() const { return nullptr; }
    virtual std::optional<std::string> signalling_field(std::string_view) const {
        return std::nullopt;
    }
    /// The other side is now `connected`: tell the phone, if it wants to know.
    virtual void connected_line_changed() {}
    /// The call goes on to `redirecting.to`: tell the caller, if it may know (181).
    virtual void call_forwarded() {}
    /// Asks the phone to call somebody else (302, or REFER once it is answered). The status of its
    /// answer; an Error where there is no such thing.
    virtual Task<Result<int>> transfer_away(std::string target);
    /// Text to be shown by the phone, within the call.
    virtual Result<> send_text(std::string_view text);
    /// `caller` was changed by the dialplan: tells readers of events.
    void caller_changed() { publish(events::ChannelChanged::What::caller_id); }

    /// Where its media is; nothing before there is any. A Local half answers with the party at the
    /// far end of its pair.
    virtual std::optional<media::Party> party() const = 0;
    /// True: it has no media of its own, and a missing party only means that the far end is not
    /// joined yet.
    virtual bool media_follows() const { return false; }
    /// The codecs that it has agreed on, or is going to offer first: those of its audio, then of
    /// further sections (video, text).
    virtual std::vector<media::CodecSpec> codecs() const { return {}; }
    /// It is going to talk to somebody who speaks these: what it is answered from now on has only
    /// sections beside the audio that both can have.
    virtual Task<> match(std::vector<media::CodecSpec>) { co_return; }

    bool hung_up() const override { return hung_up_; }
    Cause hangup_cause() const { return hangup_cause_; }
    /// The far end has put us on hold.
    virtual bool on_hold() const { return false; }
    bool is_up() const { return state_ == ChannelState::up && !hung_up_; }

    // Media, all of it through the engine. True: done; false: failed or hung up (logged).
    /// Starts; PlayDone tells. `start` skips so much of the first file.
    Task<bool> play(std::vector<std::string> files, bool loop = false, Duration start = {});
    /// Starts; goes on until stopped, or with `loop` off until it has sounded once.
    Task<bool> play_tone(std::string tone_name_or_spec, bool loop = true);
    Task<> stop_playing();
    struct Played {
        bool completed = false;
        char digit = 0;  ///< the one that interrupted, or 0
        std::string error;
    };
    /// Plays to the end, or until a digit of `interrupt` is pressed ("any" for all).
    Task<Played> play_and_wait(std::vector<std::string> files, std::string interrupt = {});
    /// The same for what is playing already.
    Task<Played> wait_played(std::string interrupt = {});
    /// Goes on where this channel last heard that class.
    Task<bool> start_music(std::string music_class);
    /// Starts to play what is put into `sound`, until that is closed. PlayDone tells.
    Task<bool> play_live(std::shared_ptr<media::LiveSound> sound);
    /// What the party says goes to `hear` as it comes, linear at 8000 samples a second, until
    /// `stop_hearing`. Nothing else may be recorded live meanwhile.
    Task<bool> start_hearing(std::function<void(std::span<const std::int16_t>)> hear);
    Task<> stop_hearing();
    /// The same beside it, for what listens for the whole call. Its number; 0: it cannot.
    Task<std::uint64_t> add_ear(std::function<void(std::span<const std::int16_t>)> ear);
    Task<> remove_ear(std::uint64_t id);
    /// Has `says` and `hears` done from now on. False: it has no media yet.
    Task<bool> shape_sound();

    // Waiting.
    Task<bool> wait(Duration duration);  ///< false: hung up
    /// The next digit, or nothing after the time (or the call) is over.
    Task<std::optional<char>> wait_digit(Duration timeout);
    /// While others lead the channel (a bridge, a Dial that was answered by it): until it is hung
    /// up, or sent elsewhere. False: not before that time.
    Task<bool> wait_released(Time until = Time::max());
    /// The dialplan that runs on it goes on there, as soon as its application returns.
    void send_on(dialplan::Position position);

    /// Who gets the events now; nullptr is the channel's own queue.
    void listen(ChannelListener* listener);
    EventQueue& inbox() { return inbox_; }
    std::shared_ptr<Bridge> bridge;  // shared with the other members

    /// Does a coroutine run a dialplan on it? Otherwise it ends with whoever it was talking to.
    bool has_dialplan = false;

    // dialplan::Call.
    Task<> yield() override;
    std::string_view caller_number() const override { return caller.number; }
    std::optional<std::string> builtin(std::string_view name) const override;
    void report(log::Level level, std::string_view text) override;
    void stepping(const dialplan::Step& step, std::string_view arguments) override;

    /// Somebody sent this channel elsewhere and wants to know what comes of it: 180, 183, and last
    /// 200 or a failure. Replaces whoever wanted that before.
    void report_transfer(std::function<void(int status)> report);
    /// What has come of it; nothing happens when nobody wants to know.
    void transfer_came_to(int status);

    /// From the engine, by way of the exchange.
    void media_event(const media::Event& event);
    /// Tells the listener.
    void raise(ChannelEvent event);

    log::About about() const { return {"pbx", call_id(), name_}; }

protected:
    void set_state(ChannelState state);
    /// Marks the end and raises HungUp, once.
    void ended(Cause cause);
    /// The end of one that has nothing else to end first: marked, and no longer listed.
    void end(Cause cause);
    void publish(events::ChannelChanged::What what) const;

private:
    Core& core_;
    std::string technology_, name_, uniqueid_, linkedid_;
    std::uint64_t serial_;
    ChannelState state_ = ChannelState::down;
    Time created_;
    std::optional<Time> answered_at_;
    bool hung_up_ = false;
    Cause hangup_cause_ = Cause::none;
    void wake();

    EventQueue inbox_;
    std::optional<io::Completion<bool>> released_;  ///< somebody is in wait_released
    ChannelListener* listener_ = nullptr;
    std::function<void(int)> transfer_report_;
    std::uint64_t play_id_ =
        0;  ///< from Channels::next_media_id, so that its end finds this channel
    bool playing_ = false;
    /// The music that it heard last, and how much of it.
    struct Music {
        std::string name;
        std::vector<std::string> files;
        Duration heard{};
        std::uint64_t play_id = 0;
    };
    Music music_;
    std::uint64_t hear_id_ = 0;
    std::function<void(std::span<const std::int16_t>)> hear_;
    /// Shared, because one may be removed while it is called.
    std::map<std::uint64_t, std::shared_ptr<std::function<void(std::span<const std::int16_t>)>>>
        ears_;
};

using ChannelPtr = std::shared_ptr<Channel>;

}  // namespace strowger::pbx
