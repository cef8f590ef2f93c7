#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

#include "base/log.hpp"
#include "io/quic/connection_impl.hpp"

namespace strowger::io::quic {

namespace {

constexpr log::About about{"quic"};
// Datagrams that wait for room in the congestion window.
constexpr std::size_t max_datagrams = 64;
constexpr std::size_t max_datagram = 1200;  // fits every path that QUIC takes at all
// Packets written before others of the process have their turn.
constexpr int packets_a_turn = 64;
// RFC 9000 section 10.2: a closing connection lives for three probe timeouts.
constexpr int closing_timeouts = 3;

Connection::Impl& of(void* user) { return *static_cast<Connection::Impl*>(user); }

int received_data(ngtcp2_conn* conn, std::uint32_t flags, std::int64_t stream, std::uint64_t,
                  const std::uint8_t* data, std::size_t length, void* user, void*) {
    auto& self = of(user);
    // Who takes the bytes takes them at once, so that the window opens again.
    ngtcp2_conn_extend_max_stream_offset(conn, stream, length);
    ngtcp2_conn_extend_max_offset(conn, length);
    if (self.handlers.data && self.state == Connection::Impl::State::open)
        self.handlers.data(stream, Bytes(data, length), flags & NGTCP2_STREAM_DATA_FLAG_FIN);
    return 0;
}

int acknowledged(ngtcp2_conn*, std::int64_t stream, std::uint64_t offset, std::uint64_t length,
                 void* user, void*) {
    auto& self = of(user);
    const auto found = self.streams.find(stream);
    if (found == self.streams.end()) return 0;
    auto& chunks = found->second.chunks;
    const auto end = offset + length;
    while (!chunks.empty() && chunks.front().offset + chunks.front().bytes.size() <= end) {
        self.queued -= chunks.front().bytes.size();
        chunks.pop_front();
    }
    return 0;
}

int closed_stream(ngtcp2_conn* conn, std::uint32_t, std::int64_t stream, std::uint64_t, void* user,
                  void*) {
    auto& self = of(user);
    if (const auto found = self.streams.find(stream); found != self.streams.end()) {
        for (const auto& chunk : found->second.chunks) self.queued -= chunk.bytes.size();
        self.streams.erase(found);
    }
    if (!ngtcp2_conn_is_local_stream(conn, stream)) {
        if (stream & 2)
            ngtcp2_conn_extend_max_streams_uni(conn, 1);
        else
            ngtcp2_conn_extend_max_streams_bidi(conn, 1);
    }
    if (self.handlers.stream_closed) self.handlers.stream_closed(stream);
    return 0;
}

int reset_stream(ngtcp2_conn*, std::int64_t stream, std::uint64_t, std::uint64_t code, void* user,
                 void*) {
    auto& self = of(user);
    if (self.handlers.reset) self.handlers.reset(stream, code);
    return 0;
}

int stop_sending(ngtcp2_conn*, std::int64_t stream, std::uint64_t code, void* user, void*) {
    auto& self = of(user);
    if (self.handlers.stopped) self.handlers.stopped(stream, code);
    return 0;
}

int received_datagram(ngtcp2_conn*, std::uint32_t, const std::uint8_t* data, std::size_t length,
                      void* user) {
    auto& self = of(user);
    if (self.handlers.datagram) self.handlers.datagram(Bytes(data, length));
    return 0;
}

int more_room(ngtcp2_conn*, std::int64_t stream, std::uint64_t, void* user, void*) {
    auto& self = of(user);
    const auto found = self.streams.find(stream);
    if (found == self.streams.end() || !found->second.blocked) return 0;
    found->second.blocked = false;
    if (found->second.wants()) self.ready.push_back(stream);
    return 0;
}

int new_id(ngtcp2_conn*, ngtcp2_cid* id, std::uint8_t* token, std::size_t length, void* user) {
    auto& self = of(user);
    std::array<std::uint8_t, NGTCP2_MAX_CIDLEN> bytes;
    if (RAND_bytes(bytes.data(), static_cast<int>(length)) != 1) return NGTCP2_ERR_CALLBACK_FAILURE;
    ngtcp2_cid_init(id, bytes.data(), length);
    const auto& secret = self.server.secret;
    if (ngtcp2_crypto_generate_stateless_reset_token(token, secret.data(), secret.size(), id) != 0)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    self.ids.insert(key_of(*id));
    self.server.by_id[key_of(*id)] = &self;
    return 0;
}

int remove_id(ngtcp2_conn*, const ngtcp2_cid* id, void* user) {
    auto& self = of(user);
    self.ids.erase(key_of(*id));
    self.server.by_id.erase(key_of(*id));
    return 0;
}

int handshake_done(ngtcp2_conn* conn, void* user) {
    auto& self = of(user);
    self.established = true;
    --self.server.handshaking;
    ++self.server.counters.established;
    ngtcp2_conn_set_keep_alive_timeout(
        conn, static_cast<ngtcp2_duration>(self.server.options.keep_alive.count()));
    self.server.accept(*self.self);
    return 0;
}

void random_bytes(std::uint8_t* out, std::size_t length, const ngtcp2_rand_ctx*) {
    RAND_bytes(out, static_cast<int>(length));
}

ngtcp2_callbacks all_callbacks() {
    ngtcp2_callbacks c{};
    c.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
    c.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb;
    c.encrypt = ngtcp2_crypto_encrypt_cb;
    c.decrypt = ngtcp2_crypto_decrypt_cb;
    c.hp_mask = ngtcp2_crypto_hp_mask_cb;
    c.update_key = ngtcp2_crypto_update_key_cb;
    c.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
    c.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
    c.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb;
    c.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
    c.rand = random_bytes;
    c.handshake_completed = handshake_done;
    c.recv_stream_data = received_data;
    c.acked_stream_data_offset = acknowledged;
    c.stream_close = closed_stream;
    c.stream_reset = reset_stream;
    c.stream_stop_sending = stop_sending;
    c.recv_datagram = received_datagram;
    c.extend_max_stream_data = more_room;
    c.get_new_connection_id = new_id;
    c.remove_connection_id = remove_id;
    return c;
}

ngtcp2_transport_params parameters(const Server::Options& options) {
    ngtcp2_transport_params p;
    ngtcp2_transport_params_default(&p);
    p.initial_max_stream_data_bidi_local = options.stream_window;
    p.initial_max_stream_data_bidi_remote = options.stream_window;
    p.initial_max_stream_data_uni = options.stream_window;
    p.initial_max_data = options.connection_window;
    p.initial_max_streams_bidi = options.max_streams;
    p.initial_max_streams_uni = options.max_streams;
    p.max_idle_timeout = static_cast<ngtcp2_duration>(options.idle_timeout.count());
    p.max_datagram_frame_size = 65535;  // RFC 9221 section 3: as long as packets are
    p.active_connection_id_limit = 7;
    return p;
}

}  // namespace

Path::Path(const SocketAddress& local_address, const SocketAddress& remote_address)
    : local_length(to_native(local_address, local_address.ip.is_v6(), local)),
      remote_length(to_native(remote_address, remote_address.ip.is_v6(), remote)) {}

ngtcp2_path Path::native() {
    return {{reinterpret_cast<ngtcp2_sockaddr*>(&local), local_length},
            {reinterpret_cast<ngtcp2_sockaddr*>(&remote), remote_length},
            nullptr};
}

Connection::Impl::Impl(Server::Impl& owner, UdpSocket& from, SocketAddress local_address,
                       SocketAddress remote_address)
    : server(owner),
      socket(&from),
      local(local_address),
      remote(remote_address),
      id(++owner.last_id),
      credentials(owner.credentials) {}

Connection::Impl::~Impl() {
    if (conn) ngtcp2_conn_del(conn);
    if (tls) gnutls_deinit(tls);
}

// `original` is the destination id from before a Retry.
bool Connection::Impl::set_up(const ngtcp2_pkt_hd& header, const ngtcp2_cid* original,
                              Connection& owner) {
    self = &owner;
    const auto now = server.loop.now();
    if (gnutls_init(&tls,
                    GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET | GNUTLS_NO_END_OF_EARLY_DATA) != 0)
        return false;
    const auto& native = credentials->impl();
    const gnutls_datum_t alpn{reinterpret_cast<unsigned char*>(server.options.alpn.data()),
                              static_cast<unsigned>(server.options.alpn.size())};
    reference = {[](ngtcp2_crypto_conn_ref* ref) { return of(ref->user_data).conn; }, this};
    if (gnutls_priority_set(tls, native.priority) != 0 ||
        ngtcp2_crypto_gnutls_configure_server_session(tls) != 0 ||
        gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, native.native) != 0 ||
        gnutls_alpn_set_protocols(tls, &alpn, 1, GNUTLS_ALPN_MANDATORY) != 0)
        return false;
    gnutls_session_set_ptr(tls, &reference);

    ngtcp2_settings settings;
    ngtcp2_settings_default(&settings);
    settings.initial_ts = stamp(now);
    settings.handshake_timeout =
        static_cast<ngtcp2_duration>(server.options.handshake_timeout.count());
    settings.max_window = 4 * server.options.connection_window;
    settings.max_stream_window = 4 * server.options.stream_window;
    settings.max_tx_udp_payload_size = max_payload;
    if (original) settings.token = header.token;

    auto params = parameters(server.options);
    params.original_dcid = original ? *original : header.dcid;
    if (original) {
        params.retry_scid = header.dcid;
        params.retry_scid_present = 1;
    }
    ngtcp2_cid ours;
    std::array<std::uint8_t, id_length> bytes;
    if (RAND_bytes(bytes.data(), bytes.size()) != 1) return false;
    ngtcp2_cid_init(&ours, bytes.data(), bytes.size());
    params.stateless_reset_token_present = 1;
    if (ngtcp2_crypto_generate_stateless_reset_token(
            params.stateless_reset_token, server.secret.data(), server.secret.size(), &ours) != 0)
        return false;

    static const auto callbacks = all_callbacks();
    Path path(local, remote);
    const auto native_path = path.native();
    if (ngtcp2_conn_server_new(&conn, &header.scid, &ours, &native_path, header.version, &callbacks,
                               &settings, &params, nullptr, this) != 0)
        return false;
    ngtcp2_conn_set_tls_native_handle(conn, tls);
    client_chosen = header.dcid;
    for (const auto& key : {key_of(ours), key_of(client_chosen)}) {
        ids.insert(key);
        server.by_id[key] = this;
    }
    return true;
}

void Connection::Impl::read(const UdpSocket::Datagram& datagram) {
    if (state == State::gone || state == State::draining) return;
    if (state == State::closing) {
        // Section 10.2.1: answered ever more rarely.
        ++closing_packets;
        if ((closing_packets & (closing_packets - 1)) == 0)
            socket->send(datagram.remote, close_packet, datagram.local.ip);
        return;
    }
    Path path(datagram.local, datagram.remote);
    const auto native_path = path.native();
    const ngtcp2_pkt_info info{};
    reading = true;
    const int done = ngtcp2_conn_read_pkt(conn, &native_path, &info, datagram.bytes.data(),
                                          datagram.bytes.size(), stamp(server.loop.now()));
    reading = false;
    if (done == 0) return schedule_write();
    failed(done);
}

void Connection::Impl::failed(int code) {
    if (state != State::open) return;
    if (code == NGTCP2_ERR_DRAINING) {
        ngtcp2_connection_close_error peer;
        ngtcp2_connection_close_error_default(&peer);
        ngtcp2_conn_get_connection_close_error(conn, &peer);
        state = State::draining;
        why = Error(fmt::format("the peer closed it with {:#x}", peer.error_code));
        return finish();
    }
    if (code == NGTCP2_ERR_IDLE_CLOSE) return over(Error("nothing came for too long"));
    if (code == NGTCP2_ERR_DROP_CONN || code == NGTCP2_ERR_RETRY ||
        code == NGTCP2_ERR_HANDSHAKE_TIMEOUT)
        return over(Error(ngtcp2_strerror(code)));
    if (!close_with) {
        close_with.emplace();
        ngtcp2_connection_close_error_default(&*close_with);
        if (code == NGTCP2_ERR_CRYPTO)
            ngtcp2_connection_close_error_set_transport_error_tls_alert(
                &*close_with, ngtcp2_conn_get_tls_alert(conn), nullptr, 0);
        else
            ngtcp2_connection_close_error_set_transport_error_liberr(&*close_with, code, nullptr,
                                                                     0);
        why = Error(ngtcp2_strerror(code));
    }
    send_close();
}

void Connection::Impl::send_close() {
    ngtcp2_path_storage storage;
    ngtcp2_path_storage_zero(&storage);
    ngtcp2_pkt_info info{};
    const auto length =
        ngtcp2_conn_write_connection_close(conn, &storage.path, &info, packet.data(), packet.size(),
                                           &*close_with, stamp(server.loop.now()));
    if (length <= 0) return over(why.value_or(Error("closed")));
    close_packet.assign(packet.begin(), packet.begin() + length);
    transmit(static_cast<std::size_t>(length), storage.path);
    state = State::closing;
    finish();
}

// The owner hears of the end now; packets that are under way find somebody for a while.
void Connection::Impl::finish() {
    if (!established && counted) --server.handshaking;
    counted = false;
    const auto pto = ngtcp2_conn_get_pto(conn);
    timer = server.loop.after(Duration(static_cast<Duration::rep>(closing_timeouts * pto)),
                              [this] { over(Error("")); });
    if (const auto told = std::exchange(handlers.closed, nullptr); told && established) {
        handlers = {};
        told(why.value_or(Error("closed")));
    }
}

void Connection::Impl::over(Error reason) {
    if (state == State::gone) return;
    if (!established && counted) --server.handshaking;
    counted = false;
    state = State::gone;
    timer.cancel();
    const auto told = std::exchange(handlers.closed, nullptr);
    handlers = {};
    if (told && established) told(reason);
    server.drop_later(*this);
}

void Connection::Impl::expired() {
    if (state != State::open) return;
    const int done = ngtcp2_conn_handle_expiry(conn, stamp(server.loop.now()));
    if (done != 0) return failed(done);
    write();
}

void Connection::Impl::arm() {
    if (state != State::open) return;
    const auto expiry = ngtcp2_conn_get_expiry(conn);
    if (expiry == UINT64_MAX) return timer.cancel();
    timer =
        server.loop.at(Time(Duration(static_cast<Duration::rep>(expiry))), [this] { expired(); });
}

void Connection::Impl::schedule_write() {
    if (std::exchange(write_due, true)) return;
    server.loop.at_round_end([weak = server.weak_from_this(), number = id] {
        const auto owner = weak.lock();
        if (!owner) return;
        const auto found = owner->connections.find(number);
        if (found != owner->connections.end()) found->second->impl_->write();
    });
}

// The path may have changed since it began, behind a NAT that did (RFC 9000 section 9).
void Connection::Impl::transmit(std::size_t length, const ngtcp2_path& path) {
    if (path.remote.addrlen == 0 || path.local.addrlen == 0) return;
    sockaddr_storage to{}, from{};
    std::memcpy(&to, path.remote.addr, std::min<std::size_t>(path.remote.addrlen, sizeof to));
    std::memcpy(&from, path.local.addr, std::min<std::size_t>(path.local.addrlen, sizeof from));
    socket->send(from_native(to), Bytes(packet.data(), length), from_native(from).ip);
}

void Connection::Impl::write() {
    write_due = false;
    if (state != State::open) return;
    if (close_with) return send_close();
    if (!write_datagrams() || !write_streams()) return;
    ngtcp2_conn_update_pkt_tx_time(conn, stamp(server.loop.now()));
    arm();
}

// False when the connection failed.
bool Connection::Impl::write_datagrams() {
    while (!datagrams.empty() && established) {
        const auto& next = datagrams.front();
        const ngtcp2_vec vec{const_cast<std::uint8_t*>(next.data()), next.size()};
        ngtcp2_path_storage storage;
        ngtcp2_path_storage_zero(&storage);
        ngtcp2_pkt_info info{};
        int accepted = 0;
        const auto length = ngtcp2_conn_writev_datagram(
            conn, &storage.path, &info, packet.data(), packet.size(), &accepted,
            NGTCP2_WRITE_DATAGRAM_FLAG_NONE, 0, &vec, 1, stamp(server.loop.now()));
        if (length == NGTCP2_ERR_INVALID_STATE || length == NGTCP2_ERR_INVALID_ARGUMENT) {
            datagrams.pop_front();  // the peer takes none, or none so long
            continue;
        }
        if (length < 0) {
            failed(static_cast<int>(length));
            return false;
        }
        if (length > 0) transmit(static_cast<std::size_t>(length), storage.path);
        if (accepted) datagrams.pop_front();
        if (length == 0) break;  // no room in the window: the streams' turn tells when
    }
    return true;
}

bool Connection::Impl::write_streams() {
    for (int packets = 0;; ++packets) {
        StreamId stream = -1;
        Outgoing* out = nullptr;
        while (!ready.empty()) {
            const auto found = streams.find(ready.front());
            if (found != streams.end() && found->second.wants()) {
                stream = ready.front();
                out = &found->second;
                break;
            }
            ready.pop_front();
        }
        if (packets >= packets_a_turn) {
            // A round without packets of ours must come, or nobody else's were read meanwhile.
            server.loop.post([weak = server.weak_from_this(), number = id] {
                const auto owner = weak.lock();
                if (!owner) return;
                const auto found = owner->connections.find(number);
                if (found != owner->connections.end()) found->second->impl_->schedule_write();
            });
            return true;
        }
        std::array<ngtcp2_vec, 8> vecs;
        std::size_t count = 0, offered = 0;
        if (out) {
            for (auto& chunk : out->chunks) {
                const auto end = chunk.offset + chunk.bytes.size();
                if (end <= out->sent) continue;
                const auto skip = std::max(out->sent, chunk.offset) - chunk.offset;
                vecs[count++] = {chunk.bytes.data() + skip, chunk.bytes.size() - skip};
                offered += chunk.bytes.size() - skip;
                if (count == vecs.size() || offered > max_payload) break;
            }
        }
        const bool fin = out && out->fin && out->sent + offered == out->end;
        ngtcp2_path_storage storage;
        ngtcp2_path_storage_zero(&storage);
        ngtcp2_pkt_info info{};
        ngtcp2_ssize taken = -1;
        const auto length = ngtcp2_conn_writev_stream(
            conn, &storage.path, &info, packet.data(), packet.size(), &taken,
            fin ? NGTCP2_WRITE_STREAM_FLAG_FIN : NGTCP2_WRITE_STREAM_FLAG_NONE, stream, vecs.data(),
            count, stamp(server.loop.now()));
        if (out && taken >= 0) {
            out->sent += static_cast<std::uint64_t>(taken);
            if (fin && out->sent == out->end) out->fin_sent = true;
            ready.pop_front();
            if (out->wants()) ready.push_back(stream);
        }
        if (length > 0) {
            transmit(static_cast<std::size_t>(length), storage.path);
            continue;
        }
        if (length == 0) return true;  // congestion, or nothing left
        if (out && length == NGTCP2_ERR_STREAM_DATA_BLOCKED) {
            out->blocked = true;  // until more_room
            ready.pop_front();
        } else if (out &&
                   (length == NGTCP2_ERR_STREAM_SHUT_WR || length == NGTCP2_ERR_STREAM_NOT_FOUND)) {
            out->sent = out->end;
            out->fin_sent = true;
            ready.pop_front();
        } else {
            failed(static_cast<int>(length));
            return false;
        }
    }
}

// --- the public face

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::~Connection() = default;

void Connection::start(Handlers handlers) { impl_->handlers = std::move(handlers); }
std::uint64_t Connection::id() const { return impl_->id; }
const SocketAddress& Connection::remote() const { return impl_->remote; }
std::size_t Connection::queued() const { return impl_->queued; }

std::optional<StreamId> Connection::open_bidirectional() {
    StreamId stream;
    if (impl_->state != Impl::State::open ||
        ngtcp2_conn_open_bidi_stream(impl_->conn, &stream, nullptr) != 0)
        return std::nullopt;
    impl_->streams[stream];
    return stream;
}

std::optional<StreamId> Connection::open_unidirectional() {
    StreamId stream;
    if (impl_->state != Impl::State::open ||
        ngtcp2_conn_open_uni_stream(impl_->conn, &stream, nullptr) != 0)
        return std::nullopt;
    impl_->streams[stream];
    return stream;
}

bool Connection::send(StreamId stream, Bytes bytes, bool fin) {
    if (impl_->state != Impl::State::open) return false;
    if (impl_->queued + bytes.size() > impl_->server.options.max_queued) return false;
    auto& out = impl_->streams[stream];  // that of the peer's streams begins with the first answer
    if (out.fin) return false;
    const bool waiting = out.wants();
    if (!bytes.empty()) {
        out.chunks.push_back({{bytes.begin(), bytes.end()}, out.end});
        out.end += bytes.size();
        impl_->queued += bytes.size();
    }
    out.fin = fin;
    if (!waiting && out.wants()) impl_->ready.push_back(stream);
    impl_->schedule_write();
    return true;
}

void Connection::reset(StreamId stream, std::uint64_t code) {
    if (impl_->state != Impl::State::open) return;
    ngtcp2_conn_shutdown_stream_write(impl_->conn, stream, code);
    impl_->schedule_write();
}

void Connection::stop(StreamId stream, std::uint64_t code) {
    if (impl_->state != Impl::State::open) return;
    ngtcp2_conn_shutdown_stream_read(impl_->conn, stream, code);
    impl_->schedule_write();
}

void Connection::send_datagram(Bytes bytes) {
    if (impl_->datagrams.size() >= max_datagrams || bytes.size() > max_datagram) return;
    impl_->datagrams.emplace_back(bytes.begin(), bytes.end());
    impl_->schedule_write();
}

void Connection::close(std::uint64_t code, std::string_view reason) {
    if (impl_->state != Impl::State::open || impl_->close_with) return;
    impl_->close_reason = std::string(reason.substr(0, 256));
    impl_->close_with.emplace();
    ngtcp2_connection_close_error_default(&*impl_->close_with);
    ngtcp2_connection_close_error_set_application_error(
        &*impl_->close_with, code,
        reinterpret_cast<const std::uint8_t*>(impl_->close_reason.data()),
        impl_->close_reason.size());
    impl_->why = Error(impl_->close_reason);
    LOG_DEBUG(about, "{} is closed: {}", impl_->remote.text(), impl_->close_reason);
    impl_->schedule_write();
}

}  // namespace strowger::io::quic
