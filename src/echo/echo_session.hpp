#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "echo/reflector.hpp"
#include "media/webrtc_host.hpp"

namespace strowger::echo {

/// Sums over all sessions, also those that are gone; for the metrics. Read by their own thread.
struct Totals {
    std::uint64_t connected = 0;
    std::uint64_t packets = 0, bytes = 0, dropped = 0, again = 0;
    std::uint64_t messages = 0, message_bytes = 0, channels = 0;
};

/// What a session of the echo server does: everything that comes goes back.
class EchoSession : public media::WebrtcHost::User {
public:
    using Changed = std::function<void(const media::WebrtcSession::Event&, Time now)>;

    EchoSession(media::WebrtcHost& host, Totals& totals, std::vector<MediaLine> lines,
                std::string cname);

    /// Once the host has given it a number, before anything else. `changed` is for the log.
    void begin(media::WebrtcHost::SessionId id, Changed changed);

    void rtp(const media::PacketRoom& packet, Time now) override;
    void rtcp(Bytes packet, Time now) override;
    void changed(const media::WebrtcSession::Event& event, Time now) override;
    void channels(datachannel::Channels& channels, Time now) override;
    void tick(Time now) override { send_rtcp(now); }
    Time deadline() const override { return reflector_.deadline(); }

    const Reflector& reflector() const { return reflector_; }
    void say_bye();  ///< before the host ends it

private:
    /// A message that the channel had no room for. Until it has, nothing more is read, and so the
    /// peer has to wait (back-pressure).
    struct Waiting {
        datachannel::ChannelId channel;
        bool text;
        std::vector<std::uint8_t> bytes;
    };
    void send_rtcp(Time now);
    bool send_waiting(datachannel::Channels& channels);

    media::WebrtcHost& host_;
    Totals& totals_;
    Reflector reflector_;
    media::WebrtcHost::SessionId id_ = 0;
    Changed changed_;
    std::optional<Waiting> waiting_;
};

}  // namespace strowger::echo
