#include "wire/datachannel/channels.hpp"

#include <algorithm>
#include <utility>

#include "wire/datachannel/dcep.hpp"

namespace strowger::datachannel {
namespace {

// RFC 8831 section 8.
enum Protocol : std::uint32_t {
    dcep = 50,
    text_last = 51,
    binary_partial = 52,
    binary_last = 53,
    text_partial = 54,
    text_empty = 56,
    binary_empty = 57,
};

constexpr std::uint8_t empty_filler[] = {0};  // SCTP has no messages without data
constexpr ChannelId no_stream = 65535;        // RFC 8832 section 6

}  // namespace

std::optional<ChannelId> Channels::free_id() const {
    for (unsigned id = config_.role == DtlsRole::client ? 0 : 1; id < no_stream; id += 2) {
        if (!channels_.contains(static_cast<ChannelId>(id))) return static_cast<ChannelId>(id);
    }
    return std::nullopt;
}

Result<ChannelId> Channels::open(const Settings& settings) {
    const auto id = free_id();
    if (!id || channels_.size() >= max_channels) {
        return fail("data channel '{}': {} are open already", settings.label, channels_.size());
    }
    if (settings.label.size() > max_text || settings.protocol.size() > max_text) {
        return fail("data channel: label or protocol longer than {} bytes", max_text);
    }
    channels_[*id].settings = settings;
    controls_.push_back({*id, write_open(settings)});
    flush();
    return *id;
}

Result<> Channels::open_negotiated(ChannelId channel, const Settings& settings) {
    if (channel == no_stream || channels_.contains(channel) || channels_.size() >= max_channels) {
        return fail("data channel {}: taken, or too many", channel);
    }
    channels_[channel] = {.settings = settings, .acknowledged = true, .told = true};
    return {};
}

const Settings* Channels::settings(ChannelId channel) const {
    const auto found = channels_.find(channel);
    return found == channels_.end() ? nullptr : &found->second.settings;
}

Channels::Sent Channels::send(ChannelId channel, bool text, Bytes bytes) {
    const auto found = channels_.find(channel);
    if (found == channels_.end() || found->second.closing) return Sent::refused;
    if (config_.max_sent != 0 && bytes.size() > config_.max_sent) return Sent::refused;
    flush();
    // What opens the channel must go first.
    const bool not_open_yet = std::any_of(controls_.begin(), controls_.end(),
                                          [&](const auto& c) { return c.channel == channel; });
    if (not_open_yet) return Sent::full;
    const Channel& to = found->second;
    const bool unordered = !to.settings.ordered && to.acknowledged;
    if (bytes.empty()) {
        return association_.send(channel, text ? text_empty : binary_empty, empty_filler, unordered,
                                 to.settings.reliability);
    }
    return association_.send(channel, text ? text_last : binary_last, bytes, unordered,
                             to.settings.reliability);
}

void Channels::close(ChannelId channel) {
    const auto found = channels_.find(channel);
    if (found == channels_.end() || found->second.closing) return;
    found->second.closing = true;
    end_stream(channel);
}

void Channels::end_stream(ChannelId channel) {
    if (std::find(to_reset_.begin(), to_reset_.end(), channel) == to_reset_.end()) {
        to_reset_.push_back(channel);
    }
    flush();
}

void Channels::flush() {
    while (!controls_.empty()) {
        const auto& [channel, message] = controls_.front();
        const auto sent = association_.send(channel, dcep, message);
        if (sent == Sent::full) return;
        if (sent == Sent::refused && association_.state() != sctp::Association::State::connected) {
            return;  // sent when it is
        }
        if (sent == Sent::refused) {  // the peer has fewer streams than that
            channels_.erase(channel);
            closed_.push_back(channel);
        }
        controls_.pop_front();
    }
    flush_resets();
}

// One request at a time (RFC 6525 section 5.1.1): what comes meanwhile goes with the next.
void Channels::flush_resets() {
    if (to_reset_.empty() || !association_.reset_streams(to_reset_)) return;
    for (const auto id : std::exchange(to_reset_, {})) {
        const auto found = channels_.find(id);
        if (found == channels_.end()) continue;
        found->second.reset_by_us = true;
        if (!found->second.reset_by_peer) continue;
        channels_.erase(found);
        closed_.push_back(id);
    }
}

bool Channels::poll(Event& event) {
    flush();
    sctp::Association::Event from;
    while (true) {
        if (!closed_.empty()) {
            event = {.kind = Event::Kind::closed, .channel = closed_.front()};
            closed_.pop_front();
            return true;
        }
        if (!association_.poll(from)) return false;
        if (take(from, event)) return true;
    }
}

bool Channels::take(const sctp::Association::Event& from, Event& event) {
    using Kind = sctp::Association::Event::Kind;
    switch (from.kind) {
        case Kind::message: return on_message(from.message, event);
        case Kind::streams_reset: on_reset(from.streams); return false;
        case Kind::connected: event = {.kind = Event::Kind::connected}; break;
        case Kind::writable: event = {.kind = Event::Kind::writable}; break;
        case Kind::closed: event = {.kind = Event::Kind::ended}; break;
    }
    flush();
    return true;
}

bool Channels::on_message(const sctp::Association::Message& message, Event& event) {
    if (message.protocol == dcep) return on_control(message, event);
    const auto found = channels_.find(message.stream);
    if (found == channels_.end()) return false;
    auto& partial = found->second.partial;
    const bool is_partial = message.protocol == text_partial || message.protocol == binary_partial;
    if (is_partial || !partial.empty()) {
        if (partial.size() + message.bytes.size() > association_.max_message()) {
            partial.clear();
            close(message.stream);
            return false;
        }
        partial.insert(partial.end(), message.bytes.begin(), message.bytes.end());
    }
    if (is_partial) return false;
    event = {.kind = Event::Kind::message, .channel = message.stream, .bytes = message.bytes};
    switch (message.protocol) {
        case text_last: event.text = true; break;
        case binary_last: break;
        case text_empty: event.text = true; [[fallthrough]];
        case binary_empty: event.bytes = {}; break;
        default: return false;
    }
    if (!partial.empty()) {
        whole_ = std::exchange(partial, {});
        event.bytes = whole_;
    }
    return true;
}

bool Channels::on_control(const sctp::Association::Message& message, Event& event) {
    const ChannelId id = message.stream;
    if (!is_ack(message.bytes)) return on_open(id, message.bytes, event);
    const auto found = channels_.find(id);
    if (found == channels_.end()) return false;
    found->second.acknowledged = true;
    if (std::exchange(found->second.told, true)) return false;
    event = {.kind = Event::Kind::opened, .channel = id};
    return true;
}

bool Channels::on_open(ChannelId id, Bytes message, Event& event) {
    auto settings = parse_open(message);
    const bool room = channels_.size() < max_channels && controls_.size() < 2 * max_channels;
    // A number that is ours to give is taken, too, though section 6 calls it an error: aiortc goes
    // by the roles of ICE instead of those of DTLS. What cannot be taken is ended again.
    if (!settings || channels_.contains(id) || !room) {
        if (!channels_.contains(id)) end_stream(id);
        return false;
    }
    channels_[id] = {.settings = std::move(*settings), .acknowledged = true, .told = true};
    controls_.push_back({id, {ack_type}});
    flush();
    event = {.kind = Event::Kind::opened, .channel = id};
    return true;
}

// RFC 8831 section 6.7: who is told of an end ends its own direction, too; then the number is free.
void Channels::on_reset(std::span<const std::uint16_t> streams) {
    std::vector<ChannelId> all;
    if (streams.empty()) {
        for (const auto& [id, channel] : channels_) all.push_back(id);
        streams = all;
    }
    for (const auto id : streams) {
        const auto found = channels_.find(id);
        if (found == channels_.end()) continue;
        Channel& channel = found->second;
        channel.reset_by_peer = true;
        if (channel.reset_by_us) {
            channels_.erase(found);
            closed_.push_back(id);
        } else {
            close(id);
        }
    }
    flush();
}

}  // namespace strowger::datachannel
