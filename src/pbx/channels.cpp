#include "pbx/channels.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "pbx/channel.hpp"
#include "pbx/sip_channel.hpp"

namespace strowger::pbx {

namespace {

// "PJSIP/alice" of "PJSIP/alice-0000002a".
std::string device_of(const Channel& channel) {
    const auto& name = channel.name();
    return to_lower(std::string_view(name).substr(0, name.rfind('-')));
}

}  // namespace

void Channels::add(std::shared_ptr<Channel> channel) {
    const auto [at, is_new] = by_id_.try_emplace(channel->uniqueid(), channel);
    if (is_new) by_device_[device_of(*channel)].push_back(channel.get());
}

void Channels::remove(const Channel& channel) {
    const auto found = by_id_.find(channel.uniqueid());
    if (found == by_id_.end()) return;
    if (const auto device = by_device_.find(device_of(channel)); device != by_device_.end()) {
        std::erase(device->second, found->second.get());
        if (device->second.empty()) by_device_.erase(device);
    }
    const auto last = std::move(found->second);  // may be the one that keeps `channel`
    by_id_.erase(found);
    std::erase_if(media_ids_, [&](const auto& entry) { return entry.second == last->uniqueid(); });
    last->inbox().clear();  // what nobody read holds the channel itself
}

void Channels::clear() {
    for (const auto& channel : all()) remove(*channel);
}

const std::vector<const Channel*>& Channels::of_device(std::string_view device) const {
    static const std::vector<const Channel*> none;
    const auto found = by_device_.find(to_lower(device));
    return found == by_device_.end() ? none : found->second;
}

std::uint64_t Channels::next_media_id(const Channel& channel) {
    media_ids_.emplace(++last_media_id_, channel.uniqueid());
    return last_media_id_;
}

std::shared_ptr<Channel> Channels::find_by_media_id(std::uint64_t id) const {
    const auto found = media_ids_.find(id);
    return found == media_ids_.end() ? nullptr : find(found->second);
}

std::shared_ptr<Channel> Channels::find(std::string_view uniqueid) const {
    const auto found = by_id_.find(uniqueid);
    return found == by_id_.end() ? nullptr : found->second;
}

std::shared_ptr<Channel> Channels::find_by_name(std::string_view name) const {
    for (const auto& [id, channel] : by_id_)
        if (iequals(channel->name(), name)) return channel;
    return nullptr;
}

std::shared_ptr<SipChannel> Channels::find_by_tag(std::string_view local_tag) const {
    const auto found = by_tag_.find(local_tag);
    return found == by_tag_.end() ? nullptr : found->second.lock();
}

std::vector<std::shared_ptr<Channel>> Channels::all() const {
    std::vector<std::shared_ptr<Channel>> channels;
    channels.reserve(by_id_.size());
    for (const auto& [id, channel] : by_id_) channels.push_back(channel);
    std::sort(channels.begin(), channels.end(),
              [](const auto& a, const auto& b) { return a->serial() < b->serial(); });
    return channels;
}

std::string Channels::next_uniqueid(WallTime now) {
    return fmt::format(
        "{}.{}", std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count(),
        ++created_);
}

std::string Channels::next_name(std::string_view technology, std::string_view resource) {
    // Dialplans tell texts from calls by the whole name that Asterisk's one message channel has.
    if (technology == "Message") return fmt::format("{}/{}", technology, resource);
    return fmt::format("{}/{}-{:08x}", technology, resource, names_++);
}

}  // namespace strowger::pbx
