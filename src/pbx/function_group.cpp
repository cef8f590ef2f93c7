#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "base/text.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/regex.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Call;

constexpr std::size_t max_name = 256;       // of a group, a category or a lock
constexpr std::size_t max_categories = 32;  // one channel is in a group of each
constexpr std::size_t max_locks = 10'000;   // held at once

/// Which channels are in which group of which category, for GROUP() and its like; and who holds
/// which lock. What a channel had ends with it.
class Marks {
public:
    using Groups = std::map<std::string, std::string, std::less<>>;  ///< group by category

    const Groups* of(const Channel& channel) const {
        const auto found = groups_.find(channel.uniqueid());
        return found == groups_.end() ? nullptr : &found->second;
    }
    Result<> join(const Channel& channel, std::string_view category, std::string_view group) {
        if (group.size() > max_name || category.size() > max_name)
            return fail("a group's name has at most {} characters", max_name);
        forget_the_dead(channel.core().channels);
        auto& mine = groups_[channel.uniqueid()];
        if (mine.size() >= max_categories && !mine.contains(category))
            return fail("a channel is in groups of at most {} categories", max_categories);
        mine.insert_or_assign(std::string(category), std::string(group));
        return {};
    }
    template <typename Wanted>
    std::size_t count(const Channels& channels, std::string_view category, Wanted&& wanted) const {
        std::size_t n = 0;
        for (const auto& [channel, groups] : groups_) {
            const auto found = groups.find(category);
            n += found != groups.end() && wanted(found->second) && lives(channels, channel);
        }
        return n;
    }

    bool lock(const Channel& channel, std::string_view name) {
        if (name.size() > max_name || !is_next(channel, name)) return false;
        auto holder = locks_.find(name);
        if (holder != locks_.end() && holder->second != channel.uniqueid() &&
            lives(channel.core().channels, holder->second))
            return false;
        if (holder == locks_.end() && locks_.size() >= max_locks) {
            std::erase_if(locks_, [&](const auto& entry) {
                return !lives(channel.core().channels, entry.second);
            });
            if (locks_.size() >= max_locks) return false;
        }
        locks_.insert_or_assign(std::string(name), channel.uniqueid());
        return true;
    }
    bool holds_any(const Channel& channel) const {
        return std::any_of(locks_.begin(), locks_.end(),
                           [&](const auto& entry) { return entry.second == channel.uniqueid(); });
    }
    /// Whoever waits for a lock gets it in turn, and before those that only try.
    void stand_in_line(const Channel& channel, std::string_view name) {
        lines_[std::string(name)].push_back(channel.uniqueid());
    }
    void leave_line(const Channel& channel, std::string_view name) {
        const auto line = lines_.find(name);
        if (line == lines_.end()) return;
        std::erase(line->second, channel.uniqueid());
        if (line->second.empty()) lines_.erase(line);
    }
    bool unlock(const Channel& channel, std::string_view name) {
        const auto holder = locks_.find(name);
        if (holder == locks_.end() || holder->second != channel.uniqueid()) return false;
        locks_.erase(holder);
        return true;
    }

private:
    bool is_next(const Channel& channel, std::string_view name) const {
        const auto line = lines_.find(name);
        return line == lines_.end() || line->second.front() == channel.uniqueid();
    }
    static bool lives(const Channels& channels, const std::string& uniqueid) {
        const auto channel = channels.find(uniqueid);
        return channel && !channel->hung_up();
    }
    // As often as there are many more entries than channels, so that it costs little on the whole.
    void forget_the_dead(const Channels& channels) {
        if (groups_.size() < 64 || groups_.size() < 2 * channels.size()) return;
        std::erase_if(groups_, [&](const auto& entry) { return !lives(channels, entry.first); });
    }

    std::unordered_map<std::string, Groups> groups_;         ///< by the channel's uniqueid
    std::map<std::string, std::string, std::less<>> locks_;  ///< uniqueid of the holder
    std::map<std::string, std::deque<std::string>, std::less<>> lines_;  ///< who waits for a lock
};

using Shared = std::shared_ptr<Marks>;  // by the functions, which outlive whoever added them

// "group@category".
std::pair<std::string_view, std::string_view> group_and_category(std::string_view text) {
    const auto [group, category] = split_once(trim(text), '@');
    return {trim(group), trim(category)};
}

Result<std::string> count_group(const Marks& marks, Call& call, std::string_view args) {
    const auto& channel = static_cast<const Channel&>(call);
    auto [group, category] = group_and_category(args);
    if (group.empty()) {
        const auto* mine = marks.of(channel);
        const auto found = mine ? mine->find(category) : Marks::Groups::const_iterator();
        if (!mine || found == mine->end()) return std::string("0");
        group = found->second;
    }
    return std::to_string(marks.count(channel.core().channels, category,
                                      [&](const std::string& other) { return other == group; }));
}

Result<std::string> count_matching(const Marks& marks, Call& call, std::string_view args) {
    const auto& channel = static_cast<const Channel&>(call);
    const auto [pattern, category] = group_and_category(args);
    if (const auto valid = dialplan::search(pattern, ""); !valid)
        return std::unexpected(valid.error());
    const auto matches = [pattern](const std::string& group) {
        const auto found = dialplan::search(pattern, group);
        return found && found->matched;
    };
    return std::to_string(marks.count(channel.core().channels, category, matches));
}

std::string list_groups(const Marks& marks, const Channel& channel) {
    std::string text;
    const auto* mine = marks.of(channel);
    if (!mine) return text;
    for (const auto& [category, group] : *mine)
        text += fmt::format("{}{}{}{}", text.empty() ? "" : " ", group, category.empty() ? "" : "@",
                            category);
    return text;
}

/// In line for a lock as long as this exists.
class InLine {
public:
    InLine(Shared marks, const Channel& channel, std::string name)
        : marks_(std::move(marks)), channel_(channel), name_(std::move(name)) {
        marks_->stand_in_line(channel_, name_);
    }
    ~InLine() { marks_->leave_line(channel_, name_); }
    InLine(const InLine&) = delete;
    InLine& operator=(const InLine&) = delete;

private:
    Shared marks_;
    const Channel& channel_;
    std::string name_;
};

// Two channels that each hold what the other one wants would wait for ever: who holds a lock
// already gives up after this.
constexpr Duration patience_of_holders = std::chrono::seconds{3};
// Between two looks: a holder may end without a word.
constexpr Duration lock_interval = std::chrono::milliseconds{20};

Task<Result<std::string>> wait_for_lock(Shared marks, Call& call, std::string args) {
    auto& channel = static_cast<Channel&>(call);
    const auto name = trim(args);
    if (name.empty() || name.size() > max_name)
        co_return fail("a lock's name has 1 to {} characters", max_name);
    if (marks->lock(channel, name)) co_return std::string("1");
    auto& core = channel.core();
    const Time until = marks->holds_any(channel) ? core.now() + patience_of_holders : Time::max();
    const InLine place(marks, channel, std::string(name));
    while (!channel.hung_up() && call.interrupted() == Call::Interrupt::none &&
           core.now() < until) {
        co_await core.loop.sleep(lock_interval);
        if (marks->lock(channel, name)) co_return std::string("1");
    }
    co_return std::string("0");
}

void add_locks(dialplan::Functions& functions, const Shared& marks) {
    const auto lock = [marks](Call& call, std::string_view args) -> Result<std::string> {
        return std::string(marks->lock(static_cast<Channel&>(call), trim(args)) ? "1" : "0");
    };
    functions.add("TRYLOCK", "Take a lock, if nobody else has it: TRYLOCK(name) is 1 or 0", lock);
    functions.add_waiting(
        "LOCK", "Take a lock, and wait for it: LOCK(name) is 1 or 0",
        [marks](Call& call, std::string args) {
            return wait_for_lock(marks, call, std::move(args));
        },
        lock);
    functions.add(
        "UNLOCK", "Give a lock back: UNLOCK(name) is 1, or 0 when it was not held",
        [marks](Call& call, std::string_view args) -> Result<std::string> {
            return std::string(marks->unlock(static_cast<Channel&>(call), trim(args)) ? "1" : "0");
        });
}

}  // namespace

void add_group_functions(dialplan::Functions& functions) {
    const auto marks = std::make_shared<Marks>();
    functions.add(
        "GROUP", "The group of the channel: GROUP([category])",
        [marks](Call& call, std::string_view args) -> Result<std::string> {
            const auto* mine = marks->of(static_cast<Channel&>(call));
            if (!mine) return std::string();
            const auto found = mine->find(trim(args));
            return found == mine->end() ? std::string() : found->second;
        },
        [marks](Call& call, std::string_view args, std::string_view value) -> Result<> {
            return marks->join(static_cast<Channel&>(call), trim(args), trim(value));
        });
    functions.add(
        "GROUP_COUNT", "How many channels are in a group: GROUP_COUNT([group][@category])",
        [marks](Call& call, std::string_view args) { return count_group(*marks, call, args); });
    functions.add(
        "GROUP_MATCH_COUNT",
        "How many are in groups that match: GROUP_MATCH_COUNT(regex[@category])",
        [marks](Call& call, std::string_view args) { return count_matching(*marks, call, args); });
    functions.add("GROUP_LIST", "The groups of the channel: GROUP_LIST()",
                  [marks](Call& call, std::string_view) -> Result<std::string> {
                      return list_groups(*marks, static_cast<Channel&>(call));
                  });
    add_locks(functions, marks);
}

}  // namespace strowger::pbx
