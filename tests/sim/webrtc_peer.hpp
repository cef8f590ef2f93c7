#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "media/webrtc_session.hpp"
#include "virtual_network.hpp"

namespace strowger::sim {

/// One end of a whole WebRTC session on the virtual network: ICE, DTLS, SRTP and channels behind
/// one socket, and what happened to it. Messages of channels that the other end opened go back, if
/// it is to echo.
class WebrtcPeer {
public:
    struct Options {
        ice::Role role = ice::Role::controlled;
        bool lite = false;
        bool ordinary_checks = true;
        bool echoes = false;
        Duration sctp_patience{};
    };
    using End = media::WebrtcSession::End;

    WebrtcPeer(VirtualNetwork& network, const SocketAddress& address, const Options& options,
               std::uint64_t seed);
    ~WebrtcPeer();
    WebrtcPeer(const WebrtcPeer&) = delete;

    /// How a peer is told of us; `named`: with our candidate.
    media::WebrtcPeer description(dtls::Role their_role, bool named = true) const;
    /// The other end's description has arrived.
    void meet(const media::WebrtcPeer& other);
    void work();

    void open_channel(const std::string& label);
    bool send_text(std::string_view text);
    /// A packet of sound; false when it could not be sent.
    bool send_rtp(std::uint16_t sequence);

    media::WebrtcSession& session() { return session_; }
    const std::vector<std::string>& texts() const { return texts_; }
    const std::vector<std::uint16_t>& heard() const { return heard_; }
    Time connected_at() const { return session_.steps().connected; }
    Time opened_at() const { return opened_at_; }

private:
    void receive(const SocketAddress& from, std::string_view bytes);
    void take_channels();
    void arm();

    VirtualNetwork& network_;
    SocketAddress address_;
    Options options_;
    Random random_;
    media::WebrtcSession session_;
    media::WebrtcSession::Transmit transmit_;
    std::optional<datachannel::ChannelId> channel_;
    std::string label_;
    Time opened_at_ = Time::max();
    std::vector<std::string> texts_;
    std::vector<std::uint16_t> heard_;
    Time armed_ = Time::max();
    std::shared_ptr<bool> alive_ =
        std::make_shared<bool>(true);  ///< shared with timers that outlive us
};

/// Introduces them as an offer and its answer do, each after one way of signalling; `client` offers
/// and `server` answers passive. Gives the SCTP of the process its time, too, until the network's
/// `end`.
void introduce(VirtualNetwork& network, WebrtcPeer& client, WebrtcPeer& server,
               Duration signalling = std::chrono::milliseconds{30}, bool named = true);
void run_until(VirtualNetwork& network, std::initializer_list<WebrtcPeer*> peers, Time end);

}  // namespace strowger::sim
