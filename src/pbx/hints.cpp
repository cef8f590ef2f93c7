#include "pbx/hints.hpp"

#include <algorithm>
#include <variant>

#include "pbx/dialplan/dialplan.hpp"

namespace strowger::pbx {

namespace {

// What a pattern's hint may refer to; there is no call whose other variables could be meant.
std::string with_exten(std::string_view devices, std::string_view exten) {
    static constexpr std::string_view variable = "${EXTEN}";
    std::string text;
    for (;;) {
        const auto at = devices.find(variable);
        text += devices.substr(0, at);
        if (at == std::string_view::npos) return text;
        text += exten;
        devices.remove_prefix(at + variable.size());
    }
}

// "pjsip/alice" of "PJSIP/alice-0000002a", and of "Local/100@internal-00000001;1".
std::string device_of(std::string_view channel) {
    return to_lower(channel.substr(0, channel.rfind('-')));
}

}  // namespace

std::optional<std::string> hint_devices(const Core& core, std::string_view context,
                                        std::string_view exten) {
    const auto dialplan = core.environment.dialplan();
    const auto found = dialplan->find_hint(context, exten, {{}, core.environment.clock()});
    if (!found) return std::nullopt;
    return with_exten(found->extension->hint->devices, exten);
}

std::string extension_state(const Core& core, std::string_view context, std::string_view exten) {
    const auto devices = hint_devices(core, context, exten);
    return devices ? device_state(core, *devices) : std::string(text_of(DeviceState::unknown));
}

Hints::Hints(Core& core) : core_(core) {
    reader_ = core_.events.subscribe([this](const events::Event& event) { read(event); });
    core_.location.on_change([this, alive = std::weak_ptr(alive_)](
                                 const std::string& aor, const Contact&, Location::Change change) {
        // Who registers again is as reachable as before, and most registrations are of that kind.
        if (change != Location::Change::refreshed && !alive.expired()) touch_aor(aor);
    });
}

Hints::~Hints() = default;

std::string Hints::key(std::string_view context, std::string_view exten) {
    std::string key(exten);
    key += '@';
    return key.append(context);
}

void Hints::configure() {
    by_aor_.clear();
    for (const auto& endpoint : core_.config->endpoints)
        for (const auto& aor : endpoint.aors)
            by_aor_[aor].push_back("pjsip/" + to_lower(endpoint.name));

    const auto old = std::exchange(hints_, {});
    by_device_.clear();
    dirty_.clear();
    for (const auto& found : core_.environment.dialplan()->hints()) {
        const auto exten = found.extension->pattern.text();
        add(found.context->name, exten, with_exten(found.extension->hint->devices, exten));
    }
    std::vector<Hint> changed;
    for (const auto& [name, hint] : old) {
        auto now = hints_.find(name);
        if (now == hints_.end())
            if (auto devices = hint_devices(core_, hint.context, hint.exten)) {
                add(hint.context, hint.exten, std::move(*devices));
                now = hints_.find(name);
            }
        if (now == hints_.end())
            changed.push_back({hint.context, hint.exten, {}, DeviceState::invalid});
        else if (now->second.state != hint.state || now->second.says != hint.says)
            changed.push_back(now->second);
    }
    for (const auto& hint : changed) tell(hint);
}

Hints::Hint& Hints::add(std::string_view context, std::string_view exten, std::string devices) {
    const auto name = key(context, exten);
    const auto [at, is_new] = hints_.try_emplace(name);
    auto& hint = at->second;
    if (!is_new) return hint;  // several contexts may show the same one
    hint.context = context;
    hint.exten = exten;
    hint.devices = std::move(devices);
    const auto found =
        core_.environment.dialplan()->find_hint(context, exten, {{}, core_.environment.clock()});
    if (found) hint.presence = with_exten(found->extension->hint->presence, exten);
    if (!hint.presence.empty()) by_device_[to_lower(hint.presence)].push_back(name);
    (void)refresh(hint);
    for (const auto device : split(hint.devices, '&'))
        by_device_[to_lower(trim(device))].push_back(name);
    return hint;
}

const Hints::Hint* Hints::find(std::string_view context, std::string_view exten) const {
    const auto found = hints_.find(key(context, exten));
    return found == hints_.end() ? nullptr : &found->second;
}

const Hints::Hint* Hints::follow(std::string_view context, std::string_view exten) {
    if (const auto* hint = find(context, exten)) return hint;
    if (hints_.size() >= max_followed) return nullptr;
    auto devices = hint_devices(core_, context, exten);
    return devices ? &add(context, exten, std::move(*devices)) : nullptr;
}

std::vector<const Hints::Hint*> Hints::all() const {
    std::vector<const Hint*> all;
    for (const auto& [name, hint] : hints_) all.push_back(&hint);
    std::sort(all.begin(), all.end(), [](const Hint* a, const Hint* b) {
        return std::tie(a->context, a->exten) < std::tie(b->context, b->exten);
    });
    return all;
}

std::shared_ptr<void> Hints::on_change(Handler handler) {
    auto entry = std::make_shared<Handler>(std::move(handler));
    handlers_.push_back(entry);
    return entry;
}

void Hints::read(const events::Event& event) {
    if (const auto* channel = std::get_if<events::ChannelChanged>(&event)) {
        using What = events::ChannelChanged::What;
        if (channel->what == What::created || channel->what == What::state ||
            channel->what == What::hangup)
            touch(device_of(channel->channel));
    } else if (const auto* status = std::get_if<events::ContactStatus>(&event)) {
        touch_aor(status->aor);
    } else if (const auto* device = std::get_if<events::DeviceStateChanged>(&event)) {
        touch(device->device);
    }
}

void Hints::touch_aor(std::string_view aor) {
    if (const auto devices = by_aor_.find(aor); devices != by_aor_.end())
        for (const auto& device : devices->second) touch(device);
}

void Hints::touch(std::string_view device) {
    const auto names = by_device_.find(to_lower(device));
    if (names == by_device_.end()) return;
    if (dirty_.empty())
        core_.loop.post([this, alive = std::weak_ptr(alive_)] {
            if (!alive.expired()) recompute();
        });
    dirty_.insert(names->second.begin(), names->second.end());
}

void Hints::recompute() {
    const auto dirty = std::exchange(dirty_, {});
    for (const auto& name : dirty) {
        const auto found = hints_.find(name);
        if (found == hints_.end()) continue;
        if (refresh(found->second)) tell(found->second);
    }
}

bool Hints::refresh(Hint& hint) const {
    const auto state = device_state_by_name(device_state(core_, hint.devices));
    const auto said = std::exchange(
        hint.says,
        personal_presence(core_.environment.store, hint.presence).value_or(PersonalPresence{}));
    const auto was = std::exchange(hint.state, state.value_or(DeviceState::unknown));
    return was != hint.state || said != hint.says;
}

void Hints::tell(const Hint& hint) {
    std::erase_if(handlers_, [](const auto& handler) { return handler.expired(); });
    const Hint copy = hint;
    for (std::size_t i = 0; i < handlers_.size(); ++i)
        if (const auto handler = handlers_[i].lock()) (*handler)(copy);
}

}  // namespace strowger::pbx
