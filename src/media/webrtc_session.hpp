#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "wire/datachannel/channels.hpp"
#include "wire/dtls/connection.hpp"
#include "wire/ice/agent.hpp"
#include "wire/ice/tuple_table.hpp"
#include "wire/sctp/association.hpp"
#include "wire/srtp/receiver.hpp"
#include "wire/srtp/sender.hpp"

namespace strowger::media {

/// The peer's end of a transport, as its description tells it.
struct WebrtcPeer {
    ice::Credentials
        credentials;  ///< empty: no ICE; the peer is at `address`, or where it speaks from
    std::optional<SocketAddress> address;
    bool lite = false;
    std::vector<ice::Candidate> candidates;
    bool trickles = false;  ///< more of them may come
    std::vector<dtls::Fingerprint> fingerprints;
    dtls::Role our_role = dtls::Role::server;  ///< what the two values of a=setup come to
    std::uint16_t sctp_port = 5000;
    std::size_t max_message = 65536;  ///< a=max-message-size; 0: any
};

/// The transport of a WebRTC session: everything that BUNDLE (RFC 9143) puts on one path. ICE finds
/// the path, DTLS agrees on keys over it (RFC 5764), SRTP protects media and SCTP in DTLS carries
/// data channels (RFC 8831). What is said in the media and the channels is the owner's affair.
///
/// Needs bytes and time only. An owner makes it; adds the candidates of its sockets to `ice()`;
/// tells it the peer with `set_peer`, at once or when the answer comes. Then, with each datagram or
/// when `deadline` has come:
///
///     const auto media = session.receive(socket, from, datagram, now);   // or session.tick(now)
///     while (session.poll(event)) ...
///     if (session.channels()) while (session.channels()->poll(...)) ...
///     while (session.poll(transmit)) send(transmit.socket, transmit.to, transmit.bytes);
///
/// Media is opened and protected in place and allocates nothing. A session with channels belongs to
/// the thread of sctp::Stack, which says when its association has something to poll.
class WebrtcSession {
public:
    /// Datagrams of DTLS that came before the peer's description: one flight.
    static constexpr std::size_t max_early = 8;
    /// Addresses that may send to us: the paths of a peer with several interfaces.
    static constexpr std::size_t max_tuples = 8;

    struct Config {
        ice::Agent::Config ice;
        std::shared_ptr<const dtls::Identity> identity;
        dtls::Connection::Config dtls;  ///< role and fingerprints come with the peer
        bool media = true;              ///< fails without SRTP keys
        /// False: ICE alone (RFC 8445 for RTP, or for SRTP with keys from elsewhere): media goes
        /// over its path as it is, RTCP over that of a second component if there is one.
        bool keys = true;
        /// A path that is lost does not end the session: a restart may find another.
        bool outlives_path = false;
        /// What is forwarded may be sent again as it was.
        srtp::Sender::Repeats repeats = srtp::Sender::Repeats::refused;
        std::optional<sctp::Association::Config> sctp;  ///< with channels
        /// As DTLS server: how long after the peer's last word in the handshake it is waited for to
        /// begin SCTP, before we do. The last flight of the handshake is ours and may be lost. Some
        /// peers read one record a datagram: each that came too early delays all later ones by one.
        Duration sctp_patience{};
        Duration stun_patience = std::chrono::seconds{15};  ///< for the first authentic check
        Duration connect_patience = std::chrono::seconds{30};
    };

    enum class End : std::uint8_t {
        none,
        closed,          ///< by `close`
        closed_by_peer,  ///< its close_notify
        no_path,
        consent_lost,
        dtls_failed,
        too_late,  ///< a patience has ended
    };

    struct Event {
        enum class Kind : std::uint8_t {
            tuple_seen,  ///< authentic STUN came this way
            selected,    ///< data belongs on this path
            connected,   ///< keys are agreed; media flows, channels may be opened
            path_lost,   ///< of a session that outlives it: consent is gone (RFC 7675)
            no_path,     ///< of such a session: none was found
            ended,       ///< nothing happens any more; see `end` and `reason`
        };
        Kind kind{};
        ice::Tuple tuple;
    };

    /// Filled again and again, as ice::Transmit.
    struct Transmit {
        ice::SocketId socket = 0;
        SocketAddress to;
        Bytes bytes;  ///< borrowed until the next call
        ice::Transmit stun;
    };

    struct Media {
        enum class Kind : std::uint8_t { none, rtp, rtcp };
        Kind kind = Kind::none;
        std::size_t size = 0;  ///< of the plain packet, at the front of the datagram
    };
    struct Protected {
        ice::SocketId socket = 0;
        SocketAddress to;
        Bytes bytes;
    };

    /// When each step was done; `Time::max()`: not yet.
    struct Steps {
        Time begun = Time::max();
        Time first_check = Time::max();  ///< the peer's first authentic message
        Time path = Time::max();
        Time selected = Time::max();
        Time connected = Time::max();
    };
    struct Counters {
        std::uint64_t rtp_in = 0, rtp_out = 0, rtp_bytes_in = 0, rtp_bytes_out = 0;
        std::uint64_t rtcp_in = 0, rtcp_out = 0;
        std::uint64_t records_in = 0, records_out = 0;  ///< datagrams of DTLS
        std::uint64_t refused = 0;     ///< SRTP that is forged, replayed or garbage
        std::uint64_t unexpected = 0;  ///< from where no authentic check has come
    };

    WebrtcSession(Config config, Random& random, Time now);
    ~WebrtcSession();
    WebrtcSession(const WebrtcSession&) = delete;

    ice::Agent& ice() { return ice_; }
    const ice::Agent& ice() const { return ice_; }
    /// Once. Candidates that cannot be used are skipped.
    Result<> set_peer(const WebrtcPeer& peer, Time now);
    /// The peer of before with other credentials (RFC 8445 section 9): ICE begins anew, with ours
    /// for it, while the old path serves; keys and counters stay.
    Result<> restart(const ice::Credentials& local, const WebrtcPeer& peer, Time now);
    /// Where data goes now.
    std::optional<ice::Tuple> path(std::uint16_t component = 1) const;
    /// The peer muxes RTCP on the port of RTP.
    void use_one_component();

    Media receive(ice::SocketId socket, const SocketAddress& from, MutableBytes datagram, Time now);
    void tick(Time now);
    Time deadline() const;
    bool poll(Event& event);
    bool poll(Transmit& transmit);

    /// The packet is the first `size` bytes of `buffer`, which has `headroom` more. Nothing when
    /// not connected, when there is no path, or when SRTP refuses.
    std::optional<Protected> protect_rtp(MutableBytes buffer, std::size_t size);
    std::optional<Protected> protect_rtcp(MutableBytes buffer, std::size_t size);
    static constexpr std::size_t headroom = 32;  ///< the longest tag and an SRTCP index

    /// There when `connected` and the session has channels.
    datachannel::Channels* channels() { return channels_ ? &*channels_ : nullptr; }
    const sctp::Association* association() const { return association_.get(); }

    /// Tells the peer; the last datagrams are still to be polled, and `ended` comes.
    void close();

    bool connected() const { return steps_.connected != Time::max() && end_ == End::none; }
    bool ended() const { return end_ != End::none; }
    End end() const { return end_; }
    const std::string& reason() const { return reason_; }  ///< of the end, for the log
    const Steps& steps() const { return steps_; }
    const Counters& counters() const { return counters_; }
    std::optional<srtp::Suite> suite() const { return suite_; }
    Time last_heard() const { return last_heard_; }  ///< anything authentic

private:
    bool has_ice() const { return !dtls_ || !peer_.credentials.empty(); }
    bool knows_peer() const { return dtls_ || !peer_.credentials.empty(); }
    void take_ice_events(Time now);
    void on_path(Time now);
    void on_dtls(ice::SocketId socket, const SocketAddress& from, Bytes datagram, Time now);
    void take_dtls_events(Time now);
    void on_connected(const dtls::Connected& connected, Time now);
    void begin_channels(Time now);
    void begin_sctp();
    Media open(Media::Kind kind, ice::SocketId socket, const SocketAddress& from,
               MutableBytes packet, Time now);
    template <typename Protect>
    std::optional<Protected> protect(MutableBytes buffer, std::uint16_t component, std::size_t size,
                                     Protect protect);
    bool is_known(ice::SocketId socket, const SocketAddress& from) const;
    void heard(Time now, std::uint16_t component = 1);
    void finish(End end, std::string reason);
    Time patience_ends() const;

    Config config_;
    ice::Agent ice_;
    WebrtcPeer peer_;
    std::optional<ice::Tuple> plain_path_;  ///< of a peer without ICE
    std::optional<dtls::Connection> dtls_;
    bool dtls_started_ = false;
    std::vector<std::vector<std::uint8_t>> early_;
    std::unique_ptr<sctp::Association> association_;
    Time sctp_begins_ = Time::max();  ///< unless the peer begins before; max: it has begun
    std::optional<datachannel::Channels> channels_;  ///< after the association, which it uses
    std::optional<srtp::Sender> sender_;
    std::optional<srtp::Receiver> receiver_;
    std::optional<srtp::Suite> suite_;
    std::array<ice::Tuple, max_tuples> tuples_{};
    std::size_t tuple_count_ = 0;
    std::vector<Event> events_;
    std::size_t events_taken_ = 0;
    Steps steps_;
    Counters counters_;
    Time last_heard_;
    End end_ = End::none;
    std::string reason_;
};

std::string_view text_of(WebrtcSession::End end);  ///< "closed_by_peer", for metrics

}  // namespace strowger::media
