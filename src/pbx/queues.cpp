#include "pbx/queues.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "io/file.hpp"
#include "pbx/dialplan/store.hpp"

namespace strowger::pbx {

namespace {

/// Family of the Store with the dynamic members of each queue:
/// "interface;penalty;paused;name;state interface;reason;ringinuse;wrapuptime|...".
constexpr std::string_view persistent_family = "Queue/PersistentMembers";

std::string without_separators(std::string_view text) {
    std::string clean(text);
    std::erase_if(clean, [](char c) { return c == ';' || c == '|'; });
    return clean;
}

std::string stored(const QueueMember& member) {
    return fmt::format("{};{};{};{};{};{};{};{}", without_separators(member.interface),
                       member.penalty, member.paused ? 1 : 0, without_separators(member.name),
                       without_separators(member.state_interface),
                       without_separators(member.pause_reason),
                       member.own_ring_in_use ? (*member.own_ring_in_use ? "1" : "0") : "",
                       member.wrapuptime ? std::to_string(*member.wrapuptime) : "");
}

QueueMember parse_stored(std::string_view text) {
    const auto parts = split(text, ';');
    const auto at = [&](std::size_t i) { return i < parts.size() ? parts[i] : std::string_view(); };
    QueueMember member;
    member.interface = at(0);
    member.penalty = parse_number<int>(at(1)).value_or(0);
    member.paused = at(2) == "1";
    member.name = at(3);
    member.state_interface = at(4);
    member.pause_reason = at(5);
    if (!at(6).empty()) member.own_ring_in_use = at(6) == "1";
    member.wrapuptime = parse_number<unsigned>(at(7));
    return member;
}

bool changes_a_device(const events::Event& event) {
    if (const auto* channel = std::get_if<events::ChannelChanged>(&event))
        return channel->what == events::ChannelChanged::What::state ||
               channel->what == events::ChannelChanged::What::hangup;
    return std::holds_alternative<events::RegistrationChanged>(event) ||
           std::holds_alternative<events::ContactStatus>(event) ||
           std::holds_alternative<events::DeviceStateChanged>(event);
}

}  // namespace

Queues::Queues(Core& core) : core_(core) {
    reader_ = core.events.subscribe([this](const events::Event& event) {
        if (changes_a_device(event)) wake_soon();
    });
}

// In a later round: whoever tells of a change is still in the middle of it.
void Queues::wake_soon() {
    if (wake_timer_.pending()) return;
    const bool anybody = std::any_of(queues_.begin(), queues_.end(), [](const auto& entry) {
        return !entry.second->callers().empty();
    });
    if (!anybody) return;
    wake_timer_ = core_.loop.after({}, [this] {
        wake_timer_ = {};
        const auto before = queues_;
        for (const auto& [name, queue] : before) queue->wake();
    });
}

void Queues::configure() {
    const auto config = core_.config;
    const auto directory = config->asterisk.directories.find("astlogdir");
    const bool own =
        directory != config->asterisk.directories.end() && io::file_exists(directory->second);
    log_.open(own ? directory->second : core_.state_directory);
    for (const auto& settings : config->queues) {
        auto& queue = queues_[to_lower(settings.name)];
        if (!queue) {
            queue = std::make_shared<Queue>(
                settings.name, [this](const QueueMember& member) { return state_of(member); },
                [this] { return core_.now(); }, core_.random);
            queue->is_wanted_elsewhere = [this](const Queue& by, const QueueMember& member) {
                return wanted_elsewhere(by, member);
            };
        }
        queue->configure(std::shared_ptr<const config::Queue>(config, &settings), core_.now());
    }
    // A queue that is gone stays as long as somebody is in line; nobody new gets in.
    std::erase_if(queues_, [&](const auto& entry) {
        return !config->queues.find(entry.second->name()) && entry.second->callers().empty();
    });
    if (!restored_ && !queues_.empty()) {
        restored_ = true;
        log({}, {}, {}, "QUEUESTART");
        if (config->queue_general.persistentmembers) restore();
    }
    wake_soon();
}

void Queues::restore() {
    for (const auto& [path, text] : core_.environment.store.list(persistent_family, {})) {
        auto* queue = find(std::string_view(path).substr(path.rfind('/') + 1));
        if (!queue) continue;
        for (const auto part : split(text, '|')) {
            auto member = parse_stored(part);
            if (!member.interface.empty()) (void)add(queue->name(), std::move(member));
        }
    }
}

void Queues::save(const Queue& queue) {
    if (!core_.config->queue_general.persistentmembers) return;
    std::string text;
    for (const auto& member : queue.members()) {
        if (!member->dynamic) continue;
        if (!text.empty()) text += '|';
        text += stored(*member);
    }
    auto& store = core_.environment.store;
    if (text.empty())
        (void)store.erase(persistent_family, queue.name());
    else if (!store.put(persistent_family, queue.name(), text))
        LOG_WARNING((log::About{"pbx"}), "the members of queue '{}' were not saved", queue.name());
}

Queue* Queues::find(std::string_view name) const {
    const auto found = queues_.find(to_lower(name));
    return found == queues_.end() ? nullptr : found->second.get();
}

std::vector<Queue*> Queues::all() const {
    std::vector<Queue*> result;
    for (const auto& [name, queue] : queues_) result.push_back(queue.get());
    return result;
}

DeviceState Queues::state_of(const QueueMember& member) const {
    std::string_view device = member.state_interface;
    if (istarts_with(device, "hint:")) {
        const auto [exten, context] = split_once(device.substr(5), '@');
        const auto plan = core_.environment.dialplan();
        const auto found = plan->find_hint(context.empty() ? "default" : context, exten,
                                           {{}, core_.environment.clock()});
        if (!found) return DeviceState::invalid;
        const auto state =
            device_state_by_name(device_state(core_, found->extension->hint->devices));
        return state.value_or(DeviceState::unknown);
    }
    // "PJSIP/0812345@trunk" and "PJSIP/bob/sip:..." are ways to an endpoint.
    if (istarts_with(device, "PJSIP/")) {
        auto resource = device.substr(6);
        if (const auto slash = resource.find('/'); slash != std::string_view::npos)
            resource = resource.substr(0, slash);
        if (const auto at = resource.rfind('@');
            at != std::string_view::npos && !core_.config->endpoints.find(resource))
            resource = resource.substr(at + 1);
        return pbx::state_of(core_, fmt::format("PJSIP/{}", resource));
    }
    return pbx::state_of(core_, device);
}

// A queue of a greater weight that has more callers than members for them goes first.
bool Queues::wanted_elsewhere(const Queue& by, const QueueMember& member) const {
    const bool longest_first = core_.config->queue_general.force_longest_waiting_caller;
    for (const auto& [name, other] : queues_) {
        if (other.get() == &by || other->callers().empty()) continue;
        if (!other->find(member.interface)) continue;
        const auto waits = [](const QueueCaller* caller) { return !caller->is_being_connected; };
        if (std::none_of(other->callers().begin(), other->callers().end(), waits)) continue;
        if (other->settings().weight > by.settings().weight) return true;
        if (longest_first && !by.callers().empty() &&
            other->callers().front()->joined < by.callers().front()->joined)
            return true;
    }
    return false;
}

events::QueueChanged Queues::about(events::QueueChanged::What what, const Queue& queue,
                                   const QueueMember& member) const {
    events::QueueChanged event{};
    event.what = what;
    event.queue = queue.name();
    event.member = member.interface;
    event.member_name = member.name;
    event.count = queue.callers().size();
    event.paused = member.paused;
    event.dynamic = member.dynamic;
    event.ring_in_use = member.ring_in_use;
    event.penalty = member.penalty;
    event.reason = member.pause_reason;
    return event;
}

void Queues::publish(events::QueueChanged event) { core_.events.publish(event); }

void Queues::member_changed(events::QueueChanged::What what, const Queue& queue,
                            const QueueMember& member) {
    publish(about(what, queue, member));
    if (member.dynamic || what == events::QueueChanged::What::member_removed) save(queue);
    wake_soon();
}

Queues::Added Queues::add(std::string_view name, QueueMember member) {
    auto* const queue = find(name);
    if (!queue) return Added::no_queue;
    if (queue->find(member.interface) || queue->members().size() >= max_dynamic)
        return Added::already_member;
    member.dynamic = true;
    member.since = core_.now();
    if (member.name.empty()) member.name = member.interface;
    if (member.state_interface.empty()) member.state_interface = member.interface;
    member.ring_in_use = member.own_ring_in_use.value_or(queue->settings().ringinuse);
    const auto added = std::make_shared<QueueMember>(std::move(member));
    queue->add(added);
    member_changed(events::QueueChanged::What::member_added, *queue, *added);
    return Added::added;
}

Queues::Removed Queues::remove(std::string_view name, std::string_view interface) {
    auto* const queue = find(name);
    if (!queue) return Removed::no_queue;
    const auto member = queue->find(interface);
    if (!member) return Removed::not_in_queue;
    if (!member->dynamic) return Removed::not_dynamic;
    queue->remove(*member);
    member_changed(events::QueueChanged::What::member_removed, *queue, *member);
    return Removed::removed;
}

template <typename Change>
bool Queues::change(std::string_view name, std::string_view interface, Change&& change) {
    bool found = false;
    for (const auto& [key, queue] : queues_) {
        if (!name.empty() && !iequals(name, queue->name())) continue;
        const auto member = queue->find(interface);
        if (!member) continue;
        found = true;
        change(*queue, *member);
        member_changed(events::QueueChanged::What::member_changed, *queue, *member);
    }
    return found;
}

bool Queues::pause(std::string_view name, std::string_view interface, bool paused,
                   std::string_view reason) {
    const bool found = change(name, interface, [&](Queue& queue, QueueMember& member) {
        member.paused = paused;
        member.pause_reason = paused ? reason : std::string_view();
        if (paused) member.last_pause = core_.now();
        log({}, queue.name(), member.name, paused ? "PAUSE" : "UNPAUSE", {std::string(reason)});
    });
    if (found && name.empty())
        log({}, {}, interface, paused ? "PAUSEALL" : "UNPAUSEALL", {std::string(reason)});
    return found;
}

bool Queues::set_penalty(std::string_view name, std::string_view interface, int penalty) {
    return change(name, interface, [&](Queue& queue, QueueMember& member) {
        member.penalty = std::max(penalty, 0);
        log({}, queue.name(), member.name, "PENALTY", {std::to_string(member.penalty)});
    });
}

bool Queues::set_ring_in_use(std::string_view name, std::string_view interface, bool ring) {
    return change(name, interface, [&](Queue& queue, QueueMember& member) {
        member.own_ring_in_use = member.ring_in_use = ring;
        log({}, queue.name(), member.name, "RINGINUSE", {ring ? "1" : "0"});
    });
}

void Queues::call_ended(Queue& queue, QueueMember& member) {
    const auto note = [&](QueueMember& one) {
        ++one.calls;
        one.last_call = core_.now();
    };
    member.in_call = false;
    note(member);
    if (core_.config->queue_general.shared_lastcall)
        for (const auto& [name, other] : queues_)
            if (const auto same = other->find(member.interface);
                other.get() != &queue && same && same.get() != &member)
                note(*same);
    wake_soon();
}

void Queues::log(std::string_view call, std::string_view queue, std::string_view agent,
                 std::string_view event, std::initializer_list<std::string> data) {
    log_.write(core_.environment.clock(), call, queue, agent, event, data);
}

}  // namespace strowger::pbx
