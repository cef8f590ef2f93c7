#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/task.hpp"
#include "pbx/bridge.hpp"
#include "pbx/channel.hpp"
#include "pbx/config/conference.hpp"

namespace strowger::pbx {

/// What ConfBridge() is to use: of confbridge.conf, or as CONFBRIDGE() has set it for a channel.
struct ConferenceProfiles {
    std::optional<config::ConferenceBridge> bridge;
    std::optional<config::ConferenceUser> user;
    std::optional<config::ConferenceMenu> menu;
};

/// Somebody in a conference. The flags say how things are to be; the member's own coroutine brings
/// its media in line with them (Conference::settle), so that only one ever acts on its channel.
struct ConferenceMember {
    ChannelPtr channel;
    config::ConferenceUser user;
    std::string menu;  ///< its name, for the command line
    bool muted = false;
    bool holds = false;  ///< waits for a marked member
    int talking_volume = 0, listening_volume = 0;
    std::string result;                ///< not empty: it is to leave, and why (CONFBRIDGE_RESULT)
    std::string name_file;             ///< its spoken name
    std::vector<std::string> to_hear;  ///< sounds that its coroutine is to play
    Bridge::Starter starter;           ///< of whom it sends in its place; none: it cannot

    // What has been done about it.
    bool mixed = false, music = false;
    std::optional<media::MixSettings> applied;

    static constexpr int loudest = 4;  ///< steps of 3 dB up and down
    static float gain(int volume);
};

/// Several channels that talk to each other in one mix, with the rules of their profiles: who waits
/// for whom, who is heard, what is said when somebody comes and goes.
///
/// `admit` takes a member in, `settle` makes its media follow, again whenever it was woken, and
/// `leave` takes it out. The mix of the engine has the conference's name behind `prefix`.
class Conference : public std::enable_shared_from_this<Conference> {
public:
    using MemberPtr = std::shared_ptr<ConferenceMember>;  // of the conference and its coroutine

    /// More at a time than any exchange holds; names are what people dial.
    static constexpr std::size_t max_conferences = 4096;
    static constexpr std::size_t max_name = 80;
    /// Announcements that wait for those before them.
    static constexpr std::size_t max_announcements = 64;

    /// The conference of that name, made with `profile` when there is none.
    static Result<std::shared_ptr<Conference>> open(Core& core, const std::string& name,
                                                    const config::ConferenceBridge& profile);

    Conference(Core& core, std::string name, config::ConferenceBridge profile);

    const std::string& name() const { return name_; }
    const config::ConferenceBridge& profile() const { return profile_; }
    /// One that an application keeps for itself (Page, BridgeWait): not to be listed.
    bool internal() const { return name_.find('/') != std::string::npos; }
    const std::vector<MemberPtr>& members() const { return members_; }
    std::size_t marked() const;
    std::size_t admins() const;
    bool locked() const { return locked_; }
    bool participants_muted() const { return participants_muted_; }
    bool recording() const { return recording_ != 0; }
    MemberPtr find(std::string_view channel) const;  ///< by its name
    MemberPtr find(const Channel& channel) const;

    /// Fails when it is locked or full, which does not stop admins.
    Result<MemberPtr> admit(ChannelPtr channel, config::ConferenceUser user, std::string menu);
    /// Its media as its flags and those of the others ask for. False: its media cannot be mixed.
    Task<bool> settle(MemberPtr member);
    Task<> leave(MemberPtr member);

    void mute(ConferenceMember& member, bool on);
    /// All but admins, and who comes later.
    void mute_participants(bool on);
    void kick(ConferenceMember& member);
    void lock(bool on);
    void set_volume(ConferenceMember& member, int talking, int listening);
    void told_talking(const ConferenceMember& member, bool on) const;

    /// Plays to all, after what was to be said before; names of sounds or paths, joined by '&'.
    /// Resolved when it has been heard.
    io::Completion<bool> announce(std::string names);
    /// To one member, in place of what the others say; "" and '&' as with `announce`. The digit
    /// that interrupted it, or 0.
    Task<char> tell(MemberPtr member, std::string names, std::string interrupt = {});
    /// "There are N other participants", as names for `announce` and `tell`.
    std::string count_as_sounds(std::size_t others, const std::string& language) const;

    /// An empty name makes one of the conference's and the time.
    Result<std::string> start_recording(std::string file = {});
    Result<> stop_recording();

    static std::string mix_name(const std::string& conference) { return "conf:" + conference; }

private:
    void marks_changed(bool leader_left);
    void wake(ConferenceMember& member) const;
    void wake_all() const;
    void report(events::ConferenceChanged::What what,
                const ConferenceMember* member = nullptr) const;
    Task<> play_announcements();

    struct Announcement {
        std::string names;
        io::Completion<bool> done;
    };

    Core& core_;
    std::string name_;
    config::ConferenceBridge profile_;
    std::vector<MemberPtr> members_;
    std::deque<Announcement> announcements_;
    bool announcing_ = false;
    bool locked_ = false;
    bool participants_muted_ = false;
    std::uint64_t recording_ = 0;  ///< its number, or 0
    std::string record_path_;
    std::string record_wanted_;  ///< a file that is begun with the mix
};

}  // namespace strowger::pbx
