#include "io/quic/server.hpp"

#include <openssl/rand.h>

#include "base/log.hpp"
#include "io/quic/connection_impl.hpp"

namespace strowger::io::quic {

namespace {

constexpr log::About about{"quic"};
constexpr std::uint64_t h3_no_error = 0x100;  // RFC 9114 section 8.1
constexpr Duration token_lifetime = std::chrono::seconds{10};
// RFC 9000 section 14.1: what is shorter begins nothing, so that we never send more than came.
constexpr std::size_t least_initial = 1200;
// RFC 9000 section 10.3: each datagram of nobody's could be answered; few are, for an attacker
// would have us answer each other for ever.
constexpr std::size_t most_resets_a_second = 20;
constexpr std::size_t least_for_reset = 43, reset_length = 41;

}  // namespace

Server::Impl::Impl(Loop& owner, std::shared_ptr<const Credentials> initial, Options chosen,
                   Accept on_accept)
    : loop(owner),
      credentials(std::move(initial)),
      options(std::move(chosen)),
      accept(std::move(on_accept)) {
    RAND_bytes(secret.data(), static_cast<int>(secret.size()));
}

Server::Server(Loop& loop, std::shared_ptr<const Credentials> credentials, Options options,
               Accept accept)
    : impl_(std::make_shared<Impl>(loop, std::move(credentials), std::move(options),
                                   std::move(accept))) {}

Server::~Server() {
    for (const auto& [id, connection] : impl_->connections) {
        auto& one = *connection->impl_;
        one.handlers = {};
        connection->close(h3_no_error, "the server ends");
        one.write();
    }
    impl_->connections.clear();
}

Result<SocketAddress> Server::listen(const SocketAddress& address) {
    UdpSocket::Options udp;
    // Both families in one socket only where nobody asked for one of them.
    udp.v6_only = false;
    auto place = std::make_shared<UdpSocket*>(nullptr);  // known once it is bound
    auto socket =
        UdpSocket::bind(impl_->loop, address, udp,
                        [raw = impl_.get(), place](std::span<const UdpSocket::Datagram> datagrams) {
                            for (const auto& datagram : datagrams) raw->receive(**place, datagram);
                        });
    if (!socket) return std::unexpected(socket.error());
    *place = socket->get();
    const auto bound = (*socket)->local();
    impl_->sockets.push_back(std::move(*socket));
    return bound;
}

void Server::use(std::shared_ptr<const Credentials> credentials) {
    impl_->credentials = std::move(credentials);
}

std::size_t Server::connections() const { return impl_->connections.size(); }
const Server::Counters& Server::counters() const { return impl_->counters; }

void Server::Impl::receive(UdpSocket& socket, const UdpSocket::Datagram& datagram) {
    const auto bytes = datagram.bytes;
    ngtcp2_version_cid ids{};
    const int kind = ngtcp2_pkt_decode_version_cid(&ids, bytes.data(), bytes.size(), id_length);
    if (kind == NGTCP2_ERR_VERSION_NEGOTIATION) {
        if (bytes.size() >= least_initial) negotiate_version(socket, datagram, ids);
        return;
    }
    if (kind != 0) {
        ++counters.dropped;
        return;
    }
    const auto found = by_id.find(key_of(ids.dcid, ids.dcidlen));
    if (found != by_id.end()) return found->second->read(datagram);
    if (ids.version != 0) return begin(socket, datagram);
    ++counters.dropped;
    stateless_reset(socket, datagram);
}

// More than a few handshakes at once may be a flood from addresses that are not the sender's.
bool Server::Impl::busy() {
    const auto now = loop.now();
    if (now - second >= std::chrono::seconds{1}) {
        second = now;
        begun_this_second = resets_this_second = 0;
    }
    return options.always_validate || handshaking >= options.unvalidated_handshakes ||
           begun_this_second >= options.unvalidated_handshakes;
}

void Server::Impl::begin(UdpSocket& socket, const UdpSocket::Datagram& datagram) {
    ngtcp2_pkt_hd header{};
    if (datagram.bytes.size() < least_initial ||
        ngtcp2_accept(&header, datagram.bytes.data(), datagram.bytes.size()) != 0) {
        ++counters.dropped;
        return;
    }
    ngtcp2_cid original{};
    bool validated = false;
    const bool is_retry =
        header.token.len > 0 && header.token.base[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY;
    if (is_retry) {
        Path path(datagram.local, datagram.remote);
        const auto native = path.native();
        if (ngtcp2_crypto_verify_retry_token(
                &original, header.token.base, header.token.len, secret.data(), secret.size(),
                header.version, native.remote.addr, native.remote.addrlen, &header.dcid,
                static_cast<ngtcp2_duration>(token_lifetime.count()), stamp(loop.now())) != 0)
            return refuse(socket, datagram, header, NGTCP2_INVALID_TOKEN);
        validated = true;
    }
    if (busy() && !validated) return retry(socket, datagram, header);
    if (!admit(socket, datagram, header, validated)) return;
    auto impl = std::make_unique<Connection::Impl>(*this, socket, datagram.local, datagram.remote);
    auto& added = *impl;
    std::unique_ptr<Connection> connection(new Connection(std::move(impl)));
    auto& self = *connection;
    ++by_address[datagram.remote.ip];
    ++handshaking;
    ++begun_this_second;
    ++counters.accepted;
    connections.emplace(added.id, std::move(connection));
    if (!added.set_up(header, validated ? &original : nullptr, self))
        return added.over(Error("TLS cannot be set up"));
    added.read(datagram);
}

bool Server::Impl::admit(UdpSocket& socket, const UdpSocket::Datagram& datagram,
                         const ngtcp2_pkt_hd& header, bool validated) {
    const auto here = by_address.find(datagram.remote.ip);
    const bool full = connections.size() >= options.max_connections ||
                      (here != by_address.end() && here->second >= options.max_per_address);
    if (!full && begun_this_second < options.handshakes_a_second) return true;
    // Whoever has shown its address is told; others may not be who they say.
    if (validated)
        refuse(socket, datagram, header, NGTCP2_CONNECTION_REFUSED);
    else
        ++counters.refused;
    return false;
}

void Server::Impl::negotiate_version(UdpSocket& socket, const UdpSocket::Datagram& datagram,
                                     const ngtcp2_version_cid& ids) {
    std::array<std::uint8_t, 256> packet;
    std::uint8_t unused = 0;
    RAND_bytes(&unused, 1);
    const std::array<std::uint32_t, 1> versions{NGTCP2_PROTO_VER_V1};
    const auto length = ngtcp2_pkt_write_version_negotiation(
        packet.data(), packet.size(), unused, ids.scid, ids.scidlen, ids.dcid, ids.dcidlen,
        versions.data(), versions.size());
    ++counters.wrong_version;
    if (length > 0)
        socket.send(datagram.remote, Bytes(packet.data(), static_cast<std::size_t>(length)),
                    datagram.local.ip);
}

void Server::Impl::retry(UdpSocket& socket, const UdpSocket::Datagram& datagram,
                         const ngtcp2_pkt_hd& header) {
    ngtcp2_cid ours;
    std::array<std::uint8_t, id_length> bytes;
    if (RAND_bytes(bytes.data(), bytes.size()) != 1) return;
    ngtcp2_cid_init(&ours, bytes.data(), bytes.size());
    Path path(datagram.local, datagram.remote);
    const auto native = path.native();
    std::array<std::uint8_t, NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN> token;
    const auto token_length = ngtcp2_crypto_generate_retry_token(
        token.data(), secret.data(), secret.size(), header.version, native.remote.addr,
        native.remote.addrlen, &ours, &header.dcid, stamp(loop.now()));
    if (token_length < 0) return;
    std::array<std::uint8_t, 256> packet;
    const auto length = ngtcp2_crypto_write_retry(packet.data(), packet.size(), header.version,
                                                  &header.scid, &ours, &header.dcid, token.data(),
                                                  static_cast<std::size_t>(token_length));
    if (length <= 0) return;
    ++counters.retries;
    socket.send(datagram.remote, Bytes(packet.data(), static_cast<std::size_t>(length)),
                datagram.local.ip);
}

void Server::Impl::refuse(UdpSocket& socket, const UdpSocket::Datagram& datagram,
                          const ngtcp2_pkt_hd& header, std::uint64_t code) {
    ++counters.refused;
    std::array<std::uint8_t, 256> packet;
    const auto length = ngtcp2_crypto_write_connection_close(
        packet.data(), packet.size(), header.version, &header.scid, &header.dcid, code, nullptr, 0);
    if (length > 0)
        socket.send(datagram.remote, Bytes(packet.data(), static_cast<std::size_t>(length)),
                    datagram.local.ip);
}

// RFC 9000 section 10.3: a peer that was forgotten while it slept learns so in one round trip.
void Server::Impl::stateless_reset(UdpSocket& socket, const UdpSocket::Datagram& datagram) {
    const auto bytes = datagram.bytes;
    (void)busy();  // a new second begins
    if (bytes.size() < least_for_reset || resets_this_second >= most_resets_a_second) return;
    ++resets_this_second;
    ngtcp2_cid id;
    ngtcp2_cid_init(&id, bytes.data() + 1, id_length);
    std::array<std::uint8_t, NGTCP2_STATELESS_RESET_TOKENLEN> token;
    std::array<std::uint8_t, reset_length - NGTCP2_STATELESS_RESET_TOKENLEN> noise;
    RAND_bytes(noise.data(), static_cast<int>(noise.size()));
    if (ngtcp2_crypto_generate_stateless_reset_token(token.data(), secret.data(), secret.size(),
                                                     &id) != 0)
        return;
    std::array<std::uint8_t, 64> packet;
    const auto length = ngtcp2_pkt_write_stateless_reset(packet.data(), packet.size(), token.data(),
                                                         noise.data(), noise.size());
    if (length > 0)
        socket.send(datagram.remote, Bytes(packet.data(), static_cast<std::size_t>(length)),
                    datagram.local.ip);
}

void Server::Impl::forget(Connection::Impl& connection) {
    for (const auto& id : connection.ids) by_id.erase(id);
    const auto here = by_address.find(connection.remote.ip);
    if (here != by_address.end() && --here->second == 0) by_address.erase(here);
    LOG_DEBUG(about, "{} is forgotten", connection.remote.text());
}

// It may be in the middle of a call of its own.
void Server::Impl::drop_later(Connection::Impl& connection) {
    forget(connection);
    loop.post([weak = weak_from_this(), id = connection.id] {
        if (const auto self = weak.lock()) self->connections.erase(id);
    });
}

}  // namespace strowger::io::quic
