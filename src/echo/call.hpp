#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "echo/offer.hpp"
#include "media/webrtc_host.hpp"
#include "wire/rtcp/reporter.hpp"
#include "wire/rtp/receiver_statistics.hpp"

namespace strowger::echo {

/// A session that we ask an echo server for, and what comes back in it: the client's end, of one
/// test or of many at once.
///
/// Sound is packets of chance, 50 a second, each known again by its number. Messages go on one
/// channel, so many at a time, each with its number in front.
class Call : public media::WebrtcHost::User {
public:
    struct Plan {
        OfferKind kind = OfferKind::audio_and_video;
        bool sound = false;            ///< sends packets once connected
        std::size_t message_size = 0;  ///< 0: five letters, once
        std::size_t in_flight = 1;     ///< messages at a time
    };
    static constexpr Duration packet_time = std::chrono::milliseconds{20};
    static constexpr std::size_t payload_size = 160;  ///< that of G.711 in 20 ms
    /// Packets that may still come back; those of five seconds.
    static constexpr std::size_t remembered = 256;

    struct Sound {
        std::uint64_t sent = 0, returned = 0, changed = 0, out_of_order = 0, duplicates = 0;
        Duration delay_sum{}, longest_delay{};
    };
    struct Messages {
        std::uint64_t sent = 0, returned = 0, changed = 0;
        std::uint64_t bytes = 0;  ///< of those that returned
        Duration delay_sum{};
        std::vector<Duration> delays;  ///< of the first ones
    };
    static constexpr std::size_t max_delays = 4096;

    Call(media::WebrtcHost& host, const Plan& plan);

    /// Once the host has given it a number.
    void begin(media::WebrtcHost::SessionId id) { id_ = id; }
    std::string offer(bool loopback, const dtls::Fingerprint& fingerprint);
    Result<> answer(std::string_view text);
    /// Sound and messages stop; what is on its way still counts.
    void stop() { stopped_ = true; }

    bool connected() const { return connected_; }
    bool ended() const { return ended_; }
    const std::string& reason() const { return reason_; }
    /// The five letters came back as they were.
    bool text_returned() const { return text_returned_; }
    const Sound& sound() const { return sound_; }
    const Messages& messages() const { return messages_; }
    std::optional<Duration> round_trip() const { return reporter_.round_trip(); }
    const media::WebrtcSession::Steps& steps() const { return steps_; }

    /// Called when anything of the above changes, but for packets and messages.
    std::function<void()> on_change;

    void rtp(const media::PacketRoom& packet, Time now) override;
    void rtcp(Bytes packet, Time now) override;
    void changed(const media::WebrtcSession::Event& event, Time now) override;
    void channels(datachannel::Channels& channels, Time now) override;
    void tick(Time now) override;
    Time deadline() const override { return next_packet_; }

private:
    void send_packet(Time now);
    void write_payload(std::uint16_t sequence, MutableBytes out) const;
    void send_messages(datachannel::Channels& channels, Time now);
    void take_message(const datachannel::Channels::Event& event, Time now);

    media::WebrtcHost& host_;
    Plan plan_;
    media::WebrtcHost::SessionId id_ = 0;
    OfferedMedia offered_;
    std::optional<sdp::Payload> payload_;
    std::string mid_;
    std::uint8_t mid_id_ = 0;
    media::WebrtcSession::Steps steps_;
    bool connected_ = false, ended_ = false, stopped_ = false;
    std::string reason_;

    std::uint64_t secret_;  ///< what payloads are made of
    std::uint16_t first_sequence_, next_sequence_;
    std::uint32_t timestamp_ = 0;
    Time next_packet_ = Time::max();
    std::vector<Time> sent_at_;  ///< by number; `Time::max()`: has come back
    std::optional<std::uint16_t> newest_returned_;
    Sound sound_;
    rtcp::Reporter reporter_;

    std::optional<datachannel::ChannelId> channel_;
    bool opened_ = false;
    std::string text_;
    bool text_returned_ = false;
    std::vector<std::uint8_t> message_;
    std::vector<Time> message_sent_at_;  ///< by number, as many as are in flight
    std::uint64_t next_message_ = 0, next_return_ = 0;
    Messages messages_;
};

/// A session's settings on the client's side.
media::WebrtcSession::Config client_config(OfferKind kind,
                                           std::shared_ptr<const dtls::Identity> identity);

}  // namespace strowger::echo
