#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "io/loop.hpp"
#include "io/udp.hpp"
#include "media/timers.hpp"
#include "media/webrtc_session.hpp"
#include "wire/ice/session_table.hpp"

namespace strowger::media {

/// A plain packet with room around it, so that a header may grow to the front and a tag to the
/// back.
struct PacketRoom {
    MutableBytes room;
    std::size_t at = 0;
    std::size_t size = 0;

    MutableBytes bytes() const { return room.subspan(at, size); }
};

/// Many WebRTC sessions on one UDP port, on the thread of a Loop: finds each datagram's session (by
/// the name in its STUN, then by its addresses alone), keeps the clocks, and sends.
///
///     auto id = host.open(std::move(config), std::make_unique<MyUser>(...));
///     host.session(*id)->set_peer(peer, host.now());
///     host.work(*id);
class WebrtcHost {
public:
    using SessionId = std::uint32_t;

    /// Room before and behind a packet that a user is given.
    static constexpr std::size_t front_room = 64;
    /// Larger than what fits an Ethernet frame; longer datagrams are dropped.
    static constexpr std::size_t max_packet = 2048;
    /// Ports are stolen from a session that has been silent for so long, by another that is
    /// authentic there: its peer has begun anew.
    static constexpr Duration silence = std::chrono::seconds{2};

    struct Options {
        SocketAddress bind;  ///< the wildcard takes all addresses of the host
        /// Named in candidates instead of those: where a NAT in front of us is seen.
        std::vector<IpAddress> announced;
        std::size_t max_sessions = 1024;
        /// Each session has a port of its own: for clients, as many sessions with one server port
        /// need as many of ours. `bind.port` is 0 then.
        bool port_each = false;
        int buffer = 8 << 20;  ///< of the socket, each way, as far as the kernel allows
    };

    /// What a session is for. Called on the loop's thread; may send, open and end sessions.
    class User {
    public:
        virtual ~User() = default;
        virtual void rtp(const PacketRoom& packet, Time now) = 0;
        virtual void rtcp(Bytes packet, Time now) = 0;
        virtual void changed(const WebrtcSession::Event& event, Time now) = 0;
        /// There may be something to poll.
        virtual void channels(datachannel::Channels& channels, Time now) = 0;
        virtual void tick(Time now) = 0;
        virtual Time deadline() const { return Time::max(); }
    };

    struct Counters {
        std::uint64_t unknown = 0;    ///< datagrams of no session
        std::uint64_t oversized = 0;  ///< longer than `max_packet`
    };

    static Result<std::unique_ptr<WebrtcHost>> start(io::Loop& loop, const Options& options);
    ~WebrtcHost();  ///< sessions go without a word; `end` those that should say goodbye before

    /// A session with our candidates. `config.ice.local` is set here. Loopback addresses are
    /// candidates of peers on this machine.
    Result<SessionId> open(WebrtcSession::Config config, std::unique_ptr<User> user, bool loopback);
    WebrtcSession* session(SessionId id);
    User* user(SessionId id);
    /// What the session has to say after something was said to it. Not from a user's callback,
    /// after which it is done anyway.
    void work(SessionId id);
    /// Says goodbye; the session and its user go in the next round.
    void end(SessionId id);

    /// The candidates that `open` gives a session.
    std::vector<ice::Candidate> candidates(SessionId id, bool loopback) const;

    /// A plain packet at the front of `buffer`, with room of WebrtcSession::headroom behind it.
    /// Gives what was sent, in `buffer`; nothing when it could not be.
    Bytes send_rtp(SessionId id, MutableBytes buffer, std::size_t size);
    Bytes send_rtcp(SessionId id, MutableBytes buffer, std::size_t size);
    /// A protected packet again.
    void send_again(SessionId id, Bytes packet);

    std::size_t size() const { return count_; }
    std::uint16_t port() const { return socket_->local().port; }  ///< the one of all sessions
    Time now() { return loop_.now(); }
    Random& random() { return random_; }
    const Counters& counters() const { return counters_; }
    const io::UdpSocket::Counters& socket_counters() const { return socket_->counters(); }
    void flush();  ///< what waits for the end of the round goes out now

private:
    struct Slot;
    /// One of our addresses, and the one that the peer knows it by.
    struct Base {
        IpAddress address;
        IpAddress announced;
    };

    WebrtcHost(io::Loop& loop, const Options& options);
    Result<std::unique_ptr<io::UdpSocket>> open_socket(std::optional<SessionId> only_for);
    void find_bases();
    Slot* slot(SessionId id) { return id < slots_.size() ? slots_[id].get() : nullptr; }
    std::optional<ice::SocketId> base_of(const IpAddress& address) const;
    std::optional<SessionId> route(ice::SocketId socket, const SocketAddress& from,
                                   Bytes datagram) const;
    void receive(std::span<const io::UdpSocket::Datagram> datagrams,
                 std::optional<SessionId> only_for);
    void take(SessionId id, ice::SocketId socket, const io::UdpSocket::Datagram& datagram,
              Time now);
    void touch(SessionId id, Slot& slot);  ///< its turn comes at the end of the round
    void work(SessionId id, Time now);
    void take_event(SessionId id, Slot& slot, const WebrtcSession::Event& event, Time now);
    void note_request(SessionId id, const WebrtcSession::Transmit& transmit);
    void work_channels(Time now);
    void settle(Time now);
    void arm(Slot& slot);
    void on_time();
    void rearm();
    void wake_at(Time when);
    void send(Slot& slot, ice::SocketId socket, const SocketAddress& to, Bytes bytes);

    io::Loop& loop_;
    Options options_;
    Random random_;
    std::unique_ptr<io::UdpSocket> socket_;  ///< of all sessions, unless each has its own
    std::vector<Base> bases_;
    ice::SessionTable table_;
    Timers timers_;  ///< outlives the slots' timers
    std::vector<std::unique_ptr<Slot>> slots_;
    std::vector<SessionId> free_;
    std::vector<SessionId> dirty_;
    std::vector<SessionId> ended_;
    std::unordered_map<const sctp::Association*, SessionId> by_association_;
    std::size_t count_ = 0;
    io::Timer timer_;
    Time armed_ = Time::max();
    WebrtcSession::Transmit transmit_;
    std::array<std::uint8_t, front_room + max_packet + WebrtcSession::headroom> scratch_;
    Counters counters_;
};

}  // namespace strowger::media
