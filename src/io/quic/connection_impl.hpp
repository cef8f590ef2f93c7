#pragma once

#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>

#include <deque>
#include <set>
#include <unordered_map>

#include "io/native_address.hpp"
#include "io/quic/credentials_impl.hpp"
#include "io/quic/server.hpp"
#include "io/udp.hpp"

namespace strowger::io::quic {

/// The length of our own connection ids: long enough that nobody guesses one.
inline constexpr std::size_t id_length = 16;
/// Of a datagram that we send; ngtcp2 grows it up to this when the path takes it.
inline constexpr std::size_t max_payload = 1452;

inline std::string key_of(const std::uint8_t* bytes, std::size_t length) {
    return {reinterpret_cast<const char*>(bytes), length};
}
inline std::string key_of(const ngtcp2_cid& id) { return key_of(id.data, id.datalen); }

inline ngtcp2_tstamp stamp(Time now) {
    return static_cast<ngtcp2_tstamp>(now.time_since_epoch().count());
}

/// Both ends of a path in the form that ngtcp2 wants.
struct Path {
    Path(const SocketAddress& local_address, const SocketAddress& remote_address);
    ngtcp2_path native();
    sockaddr_storage local{}, remote{};
    socklen_t local_length, remote_length;
};

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
    Impl(Loop& owner, std::shared_ptr<const Credentials> initial, Options chosen, Accept on_accept);

    void receive(UdpSocket& socket, const UdpSocket::Datagram& datagram);
    void begin(UdpSocket& socket, const UdpSocket::Datagram& datagram);
    bool admit(UdpSocket& socket, const UdpSocket::Datagram& datagram, const ngtcp2_pkt_hd& header,
               bool validated);
    bool busy();
    void negotiate_version(UdpSocket& socket, const UdpSocket::Datagram& datagram,
                           const ngtcp2_version_cid& ids);
    void retry(UdpSocket& socket, const UdpSocket::Datagram& datagram, const ngtcp2_pkt_hd& header);
    void refuse(UdpSocket& socket, const UdpSocket::Datagram& datagram, const ngtcp2_pkt_hd& header,
                std::uint64_t code);
    void stateless_reset(UdpSocket& socket, const UdpSocket::Datagram& datagram);
    void forget(Connection::Impl& connection);
    void drop_later(Connection::Impl& connection);

    Loop& loop;
    std::shared_ptr<const Credentials> credentials;
    Options options;
    Accept accept;
    Counters counters;
    std::array<std::uint8_t, 32> secret;  // of tokens and stateless resets
    std::vector<std::unique_ptr<UdpSocket>> sockets;
    std::unordered_map<std::string, Connection::Impl*> by_id;
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections;
    std::unordered_map<IpAddress, std::size_t> by_address;
    std::uint64_t last_id = 0;
    std::size_t handshaking = 0;
    Time second{};  // of the counts that follow
    std::size_t begun_this_second = 0, resets_this_second = 0;
};

struct Connection::Impl {
    Impl(Server::Impl& owner, UdpSocket& from, SocketAddress local_address,
         SocketAddress remote_address);
    ~Impl();

    /// Bytes of a stream that ngtcp2 may still ask for; their places must not change.
    struct Chunk {
        std::vector<std::uint8_t> bytes;
        std::uint64_t offset;  // in the stream
    };
    struct Outgoing {
        std::deque<Chunk> chunks;
        std::uint64_t end = 0;   // of what was queued
        std::uint64_t sent = 0;  // what ngtcp2 has taken
        bool fin = false, fin_sent = false, blocked = false;
        bool wants() const { return !blocked && (sent < end || (fin && !fin_sent)); }
    };

    bool set_up(const ngtcp2_pkt_hd& header, const ngtcp2_cid* original, Connection& self);
    void read(const UdpSocket::Datagram& datagram);
    void write();
    bool write_datagrams();
    bool write_streams();
    void transmit(std::size_t length, const ngtcp2_path& path);
    void schedule_write();
    void arm();
    void expired();
    void failed(int code);
    void send_close();
    void over(Error why);
    void finish();

    Server::Impl& server;
    UdpSocket* socket;
    SocketAddress local, remote;
    std::uint64_t id;
    Connection* self = nullptr;
    std::shared_ptr<const Credentials> credentials;
    ngtcp2_conn* conn = nullptr;
    gnutls_session_t tls = nullptr;
    ngtcp2_crypto_conn_ref reference{};
    ngtcp2_cid client_chosen{};  // its first destination id, by which the first packets come
    std::set<std::string> ids;
    Handlers handlers;
    std::unordered_map<StreamId, Outgoing> streams;
    std::deque<StreamId> ready;  // with something to send, in turn
    std::deque<std::vector<std::uint8_t>> datagrams;
    std::size_t queued = 0;
    Timer timer;
    bool established = false, counted = true, write_due = false, reading = false;
    enum class State { open, closing, draining, gone } state = State::open;
    std::optional<ngtcp2_connection_close_error> close_with;
    std::string close_reason;
    std::vector<std::uint8_t> close_packet;
    unsigned closing_packets = 0;
    std::optional<Error> why;
    std::array<std::uint8_t, max_payload> packet;
};

}  // namespace strowger::io::quic
