#include "pbx/conference_visit.hpp"

#include <algorithm>
#include <utility>

#include "io/file.hpp"
#include "pbx/conference_menu.hpp"

namespace strowger::pbx {

namespace {

class Visit {
public:
    Visit(std::shared_ptr<Conference> conference, Conference::MemberPtr member,
          std::optional<config::ConferenceMenu> menu)
        : conference_(std::move(conference)),
          member_(std::move(member)),
          channel_(*member_->channel),
          keys_(std::move(menu).value_or(config::ConferenceMenu{})) {}

    Task<std::string> run() {
        co_await greet();
        if (!over() && !co_await join()) member_->result = "FAILED";
        if (!over()) announce_arrival();
        const auto& user = member_->user;
        const Time until = user.timeout > 0
                               ? channel_.core().now() + std::chrono::seconds{user.timeout}
                               : Time::max();
        while (!over()) {
            co_await catch_up();
            if (over()) break;
            const auto item = co_await channel_.inbox().next(std::min(until, digit_deadline_));
            if (item)
                co_await take(item->event);
            else if (channel_.core().now() >= until)
                member_->result = "TIMEOUT";
            else
                co_await act(keys_.pause());
        }
        // Before it goes, it hears why.
        co_await say_waiting();
        const bool gone = channel_.hung_up();
        announce_departure();
        co_await conference_->leave(member_);
        if (gone) co_return std::string("HANGUP");
        co_return member_->result;
    }

private:
    bool over() const {
        return channel_.hung_up() || !member_->result.empty() ||
               channel_.interrupted() != dialplan::Call::Interrupt::none;
    }
    bool quiet() const { return member_->user.quiet; }
    std::string sound(std::string_view which) const {
        return std::string(conference_->profile().sound(which));
    }
    Task<> tell(std::string names) { (void)co_await conference_->tell(member_, std::move(names)); }

    // What only the new member hears.
    Task<> greet() {
        const auto& user = member_->user;
        if (!user.announcement.empty()) co_await tell(user.announcement);
        if (quiet() || over()) co_return;
        const auto others = conference_->members().size() - 1;
        if (member_->holds)
            co_await tell(sound("wait_for_leader"));
        else if (others == 0 && user.announce_only_user)
            co_await tell(sound("only_person"));
        else if (others > 0 && user.announce_user_count)
            co_await tell(conference_->count_as_sounds(others, channel_.language));
    }

    Task<bool> join() {
        if (!quiet() && !member_->user.hear_own_join_sound) {
            const auto heard = conference_->announce(sound("join"));
            (void)co_await heard;
        }
        if (over()) co_return true;
        co_return co_await conference_->settle(member_);
    }

    void announce_arrival() {
        if (!quiet()) {
            if (member_->user.hear_own_join_sound) conference_->announce(sound("join"));
            if (!member_->name_file.empty())
                conference_->announce(member_->name_file + "&" + sound("has_joined"));
        }
        const auto all = member_->user.announce_user_count_all;
        const auto others = conference_->members().size() - 1;
        if (all > 0 && others >= all && others > 0)
            conference_->announce(
                conference_->count_as_sounds(others, conference_->profile().language));
    }

    void announce_departure() {
        const auto name = member_->name_file;
        const bool heard_by_others = !quiet() && conference_->members().size() > 1;
        if (heard_by_others) conference_->announce(sound("leave"));
        if (name.empty()) return;
        const auto heard =
            conference_->announce(heard_by_others ? name + "&" + sound("has_left") : "");
        channel_.core().tasks.spawn([](io::Completion<bool> done, std::string file) -> Task<> {
            (void)co_await done;
            (void)io::remove_file(file);
        }(heard, name));
    }

    // Does what others, and its own keys, have asked for.
    Task<> catch_up() {
        for (;;) {
            const bool settled = co_await conference_->settle(member_);
            if (!settled && !over()) member_->result = "FAILED";
            co_await say_waiting();
            if (over() || !replaced_music()) co_return;
        }
    }
    bool replaced_music() { return std::exchange(said_, false); }

    Task<> say_waiting() {
        while (!member_->to_hear.empty()) {
            auto name = std::move(member_->to_hear.front());
            member_->to_hear.erase(member_->to_hear.begin());
            said_ = true;
            co_await tell(std::move(name));
        }
    }

    Task<> take(const ChannelEvent& event) {
        if (const auto* digit = std::get_if<channel::Digit>(&event)) {
            const char key = digit->digit;
            co_await act(keys_.press(key));
        } else if (const auto* talking = std::get_if<channel::Talking>(&event)) {
            conference_->told_talking(*member_, talking->on);
        }
    }

    Task<> act(const ConferenceMenuKeys::Entry* entry) {
        while (entry && !over()) {
            auto copy = *entry;
            auto running = run_menu_entry(conference_, member_, std::move(copy));
            const char digit = co_await std::move(running);
            if (!digit) break;
            keys_.resume(*entry);
            entry = keys_.press(digit);
        }
        digit_deadline_ = keys_.waiting()
                              ? channel_.core().now() +
                                    std::chrono::milliseconds{
                                        channel_.core().config->features.featuredigittimeout}
                              : Time::max();
    }

    std::shared_ptr<Conference> conference_;
    Conference::MemberPtr member_;
    Channel& channel_;
    ConferenceMenuKeys keys_;
    Time digit_deadline_ = Time::max();
    bool said_ = false;  ///< something was played in place of the music
};

}  // namespace

Task<std::string> visit_conference(std::shared_ptr<Conference> conference,
                                   Conference::MemberPtr member,
                                   std::optional<config::ConferenceMenu> menu) {
    Visit visit(std::move(conference), std::move(member), std::move(menu));
    co_return co_await visit.run();
}

}  // namespace strowger::pbx
