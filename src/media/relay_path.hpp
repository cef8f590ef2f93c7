#pragma once

#include <memory>
#include <vector>

#include "base/random.hpp"
#include "media/stream_figures.hpp"
#include "media/timers.hpp"
#include "media/transport.hpp"
#include "media/webrtc_session.hpp"

namespace strowger::media {

class Shard;

/// ICE, DTLS and SRTP, or ICE alone, at the RTP port of a relayed stream (RFC 8445, RFC 5764): the
/// same session as the echo peer's, on a media thread. It lives as long as the party keeps its
/// certificate; when the party is silent or gone, a restart of ICE brings it back.
///
/// The stream hands it every datagram, and everything that is to go out.
class RelayPath {
public:
    struct Start {
        WebrtcSession::Config config;
        /// One of our own, and where it is: 0: the stream's address; else that of `use`.
        struct Own {
            ice::Candidate candidate;
            std::size_t place = 0;
        };
        std::vector<Own> candidates;
    };

    RelayPath(Start start, Transport& transport, std::shared_ptr<StreamFigures> figures);
    RelayPath(const RelayPath&) = delete;

    /// Ports at further addresses, those of places 1, 2 and so on; null: that one is closed. They
    /// are used until the next call.
    void use(std::vector<Transport*> further) { further_ = std::move(further); }
    void enter(Shard& shard);  ///< its deadlines are that thread's from now on
    void leave();

    void set_peer(const WebrtcPeer& peer);
    void restart(const ice::Credentials& local, const WebrtcPeer& peer);
    void add_candidates(const std::vector<ice::Candidate>& candidates, bool last);
    void use_one_component();
    void close();  ///< says goodbye
    /// Its packets are in the clear here; without it keys are the stream's affair.
    bool has_keys() const { return has_keys_; }

    /// The sockets of our candidates, by their component; of a further address by its place, too.
    static constexpr ice::SocketId rtp_socket = 0, rtcp_socket = 1;
    static constexpr ice::SocketId socket_at(std::size_t place, ice::SocketId socket) {
        return static_cast<ice::SocketId>(2 * place + socket);
    }

    /// What came, by whomever; a packet of the party's is left in the clear at the front.
    WebrtcSession::Media receive(ice::SocketId socket, MutableBytes datagram,
                                 const SocketAddress& from, Time now);
    /// The size that went out; 0: it did not, as there is no path or no key yet.
    std::size_t send_rtp(MutableBytes buffer, std::size_t size);
    std::size_t send_rtcp(MutableBytes buffer, std::size_t size);
    bool connected() const { return session_.connected(); }

private:
    void work();
    void take(const WebrtcSession::Event& event);
    void tell();
    std::size_t send(const std::optional<WebrtcSession::Protected>& packet);
    io::MediaSocket* socket(ice::SocketId id);  ///< null: closed

    Random random_;
    Transport& transport_;
    std::vector<Transport*> further_;
    std::shared_ptr<StreamFigures> figures_;  // the stream's
    const bool has_keys_;
    WebrtcSession session_;
    bool has_ice_ = true;
    std::uint64_t told_rejected_ = 0;  ///< of the agent's count, in the figures already
    WebrtcSession::Transmit transmit_;
    Shard* shard_ = nullptr;
    Timer timer_;
};

}  // namespace strowger::media
