#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/datachannel/settings.hpp"
#include "wire/sctp/association.hpp"

namespace strowger::datachannel {

/// A channel: its stream's number, the same both ways.
using ChannelId = std::uint16_t;

/// The data channels of one association (RFC 8831, RFC 8832), opened by either side.
///
/// Takes over the events of the association: who has a Channels polls it instead. Packets still go
/// in and out of the association.
///
///     while (channels.poll(event)) if (event.kind == Kind::message) channels.send(event.channel,
///     ...);
class Channels {
public:
    static constexpr std::size_t max_channels = 256;

    /// Our role in DTLS says which numbers we give to the channels that we open: the client even
    /// ones, the server odd ones (RFC 8832 section 6).
    enum class DtlsRole : std::uint8_t { client, server };

    struct Config {
        DtlsRole role = DtlsRole::client;
        std::size_t max_sent = 65536;  ///< the peer's a=max-message-size, or what its absence means
    };

    struct Event {
        enum class Kind : std::uint8_t {
            connected,  ///< channels that were opened before are on their way
            opened,     ///< by the peer, or acknowledged by it
            message,
            closed,    ///< by the peer, or as we asked; the number is free again
            writable,  ///< after a `send` that was answered with `full`
            ended,     ///< the association, and all channels with it
        };
        Kind kind{};
        ChannelId channel = 0;
        bool text = false;
        Bytes bytes;  ///< borrowed until the next poll
    };
    using Sent = sctp::Association::Sent;

    Channels(sctp::Association& association, const Config& config)
        : association_(association), config_(config) {}

    /// A channel that may be sent to once `connected`. Fails when there are too many.
    Result<ChannelId> open(const Settings& settings);
    /// One that both sides agreed on by other means (`negotiated` of the browsers' interface).
    Result<> open_negotiated(ChannelId channel, const Settings& settings);
    /// Empty messages are sent as such. `refused`: no such channel, or too large for the peer.
    Sent send(ChannelId channel, bool text, Bytes bytes);
    void close(ChannelId channel);
    bool poll(Event& event);

    /// Nothing when there is no such channel.
    const Settings* settings(ChannelId channel) const;
    std::size_t size() const { return channels_.size(); }

private:
    struct Channel {
        Settings settings;
        bool acknowledged = false;  ///< until then all is sent in order (RFC 8832 section 6)
        bool told = false;          ///< `opened` was
        bool closing = false;       ///< we asked to end it, or the peer has
        bool reset_by_us = false;
        bool reset_by_peer = false;
        std::vector<std::uint8_t> partial;  ///< of the deprecated PPIDs 52 and 54
    };
    struct Control {
        ChannelId channel;
        std::vector<std::uint8_t> message;
    };

    std::optional<ChannelId> free_id() const;
    bool take(const sctp::Association::Event& from, Event& event);
    bool on_message(const sctp::Association::Message& message, Event& event);
    bool on_control(const sctp::Association::Message& message, Event& event);
    bool on_open(ChannelId id, Bytes message, Event& event);
    void on_reset(std::span<const std::uint16_t> streams);
    void end_stream(ChannelId channel);
    void flush();
    void flush_resets();

    sctp::Association& association_;
    Config config_;
    std::unordered_map<ChannelId, Channel> channels_;
    std::deque<Control> controls_;     ///< OPEN and ACK that wait for room or connection
    std::vector<ChannelId> to_reset_;  ///< streams whose end waits for its turn
    std::deque<ChannelId> closed_;     ///< to be told
    std::vector<std::uint8_t> whole_;  ///< a message that came in parts, while its event borrows it
};

}  // namespace strowger::datachannel
