#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pbx/core.hpp"
#include "pbx/queue.hpp"
#include "pbx/queue_log.hpp"

namespace strowger::pbx {

/// All call queues of an exchange, who is a member of which, and what outlives a restart of that.
///
/// Callers in line are woken when a member comes, goes or is paused, and when a channel or a device
/// changes its state.
class Queues {
public:
    explicit Queues(Core& core);

    /// After the configuration was read, at first and anew. The first time dynamic members of
    /// before the restart come back (persistentmembers).
    void configure();

    Queue* find(std::string_view name) const;  ///< any case
    std::vector<Queue*> all() const;           ///< by name
    DeviceState state_of(const QueueMember& member) const;

    enum class Added { added, already_member, no_queue };
    Added add(std::string_view queue, QueueMember member);
    enum class Removed { removed, not_in_queue, no_queue, not_dynamic };
    Removed remove(std::string_view queue, std::string_view interface);
    /// In one queue, or in all when `queue` is empty. False: it is in none of them.
    bool pause(std::string_view queue, std::string_view interface, bool paused,
               std::string_view reason);
    bool set_penalty(std::string_view queue, std::string_view interface, int penalty);
    bool set_ring_in_use(std::string_view queue, std::string_view interface, bool ring);

    /// A call with that member has ended: for wrapuptime, leastrecent and fewestcalls.
    void call_ended(Queue& queue, QueueMember& member);

    /// Callers in line look what they can do, in a later round.
    void wake_soon();

    void log(std::string_view call, std::string_view queue, std::string_view agent,
             std::string_view event, std::initializer_list<std::string> data = {});
    void publish(events::QueueChanged event);
    events::QueueChanged about(events::QueueChanged::What what, const Queue& queue,
                               const QueueMember& member) const;

    /// Members added at run time: of one queue, and of all.
    static constexpr std::size_t max_dynamic = 10'000;

private:
    void restore();
    void save(const Queue& queue);
    bool wanted_elsewhere(const Queue& queue, const QueueMember& member) const;
    template <typename Change>
    bool change(std::string_view queue, std::string_view interface, Change&& change);
    void member_changed(events::QueueChanged::What what, const Queue& queue,
                        const QueueMember& member);

    Core& core_;
    std::map<std::string, std::shared_ptr<Queue>> queues_;  ///< by name in small letters
    QueueLog log_;
    io::Timer wake_timer_;
    std::shared_ptr<void> reader_;
    bool restored_ = false;
};

}  // namespace strowger::pbx
