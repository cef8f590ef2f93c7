#include "broker/transport_door.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "io/clock.hpp"
#include "io/file.hpp"

namespace strowger::broker {

namespace {

constexpr log::About about{"broker"};
// Ids of sessions and of WebSockets are compared with each other.
constexpr std::uint64_t first_id = std::uint64_t{1} << 62;
// How often a certificate that could not be made is tried again, and the longest wait of a timer:
// the wall's clock may be set meanwhile.
constexpr Duration soonest = std::chrono::milliseconds{200}, latest = std::chrono::hours{1};
constexpr std::size_t longest_pem = 1 << 20;

io::HttpRequest request_of(const webtransport::Connection::Requested& asked,
                           const SocketAddress& remote) {
    io::HttpRequest request;
    request.method = "CONNECT";
    request.target = asked.path;
    const auto [path, query] = split_once(asked.path, '?');
    request.path = io::percent_decode(path);
    request.query = std::string(query);
    request.remote = remote;
    request.secure = true;
    request.headers.add("Host", asked.authority);
    for (const auto& [name, value] : asked.fields)
        if (!name.starts_with(':')) request.headers.add(name, value);
    return request;
}

}  // namespace

// --- one QUIC connection

struct TransportSession::Peer {
    Peer(TransportDoor& owner, io::quic::Connection& quic) : door(owner), connection(quic) {}

    void start() {
        connection.start({.data =
                              [this](StreamId stream, Bytes bytes, bool fin) {
                                  machine.received(stream, bytes, fin);
                                  drain();
                              },
                          .reset =
                              [this](StreamId stream, std::uint64_t code) {
                                  machine.reset(stream, code);
                                  drain();
                              },
                          .stopped =
                              [this](StreamId stream, std::uint64_t code) {
                                  machine.stopped(stream, code);
                                  drain();
                              },
                          .stream_closed =
                              [this](StreamId stream) {
                                  machine.stream_closed(stream);
                                  drain();
                              },
                          .datagram =
                              [this](Bytes bytes) {
                                  machine.datagram(bytes);
                                  drain();
                              },
                          .closed = [this](const Error& error) { over(error); }});
        const auto control = connection.open_unidirectional();
        if (!control) return connection.close(webtransport::h3_internal_error, "no stream for us");
        machine.start(*control);
        drain();
    }

    // What a session does in an event may ask for more: the outer call takes it up.
    void drain() {
        if (draining) return;
        draining = true;
        webtransport::Connection::Action action;
        webtransport::Connection::Event event;
        while (true) {
            if (machine.poll(action))
                std::visit([this](auto& one) { perform(one); }, action);
            else if (machine.poll(event))
                std::visit([this](auto& one) { happened(one); }, event);
            else
                break;
        }
        draining = false;
    }

    void perform(webtransport::Connection::Send& send) {
        if (!connection.send(send.stream, send.bytes, send.fin))
            connection.close(webtransport::h3_excessive_load, "too much waits for this peer");
    }
    void perform(webtransport::Connection::Reset& reset) {
        connection.reset(reset.stream, reset.code);
    }
    void perform(webtransport::Connection::StopSending& stop) {
        connection.stop(stop.stream, stop.code);
    }
    void perform(webtransport::Connection::SendDatagram& datagram) {
        connection.send_datagram(datagram.bytes);
    }
    void perform(webtransport::Connection::Close& close) {
        LOG_NOTICE(about, "{}: {}", connection.remote().text(), close.reason);
        connection.close(close.code, close.reason);
    }

    void happened(webtransport::Connection::Requested& asked) {
        auto request = request_of(asked, connection.remote());
        const auto status = door.admit_(request);
        if (status != 200) {
            LOG_NOTICE(about, "{}: WebTransport to {} is refused with {}",
                       connection.remote().text(), request.path, status);
            return machine.refuse(asked.session, status);
        }
        machine.accept(asked.session);
        std::unique_ptr<TransportSession> session(new TransportSession(
            this, asked.session, first_id + ++door.last_id_, std::move(request)));
        sessions[asked.session] = session.get();
        door.enter_(std::move(session));
    }
    void happened(webtransport::Connection::Data& data) {
        const auto found = sessions.find(data.session);
        if (found == sessions.end() || !found->second->handlers_.data) return;
        found->second->handlers_.data(data.stream, data.bytes, data.fin);
    }
    // The links have no streams that may end before the session does.
    void happened(webtransport::Connection::StreamReset& reset) { broken(reset.session); }
    void happened(webtransport::Connection::StreamStopped& stopped) { broken(stopped.session); }
    void happened(webtransport::Connection::Datagram&) {}
    void happened(webtransport::Connection::Draining&) {}
    void happened(webtransport::Connection::Closed& closed) {
        const auto found = sessions.find(closed.session);
        if (found == sessions.end()) return;
        auto* session = found->second;
        sessions.erase(found);
        session->ended(
            Error(closed.reason.empty() ? "closed" : closed.reason, static_cast<int>(closed.code)));
    }
    void broken(StreamId session) {
        if (sessions.contains(session)) machine.close(session, 0, "a stream was reset");
    }

    void over(const Error& error) {
        for (const auto& [id, session] : std::exchange(sessions, {})) session->ended(error);
        door.loop_.post([&peers = door.peers_, id = connection.id()] { peers.erase(id); });
    }

    TransportDoor& door;
    io::quic::Connection& connection;
    webtransport::Connection machine;
    std::map<StreamId, TransportSession*> sessions;
    bool draining = false;
};

// --- a session

TransportSession::~TransportSession() {
    if (!peer_) return;
    peer_->sessions.erase(session_);
    peer_->machine.close(session_, 0, "");
    peer_->drain();
}

void TransportSession::start(Handlers handlers) { handlers_ = std::move(handlers); }

void TransportSession::ended(const Error& error) {
    peer_ = nullptr;
    if (const auto told = std::exchange(handlers_.closed, nullptr)) told(error);
}

std::optional<TransportSession::StreamId> TransportSession::open_stream() {
    if (!peer_) return std::nullopt;
    const auto stream = peer_->connection.open_bidirectional();
    if (!stream) return std::nullopt;
    peer_->machine.opened(session_, *stream);
    peer_->drain();
    return stream;
}

bool TransportSession::send(StreamId stream, Bytes bytes) {
    if (!peer_) return false;
    peer_->machine.send(stream, bytes, false);
    peer_->drain();
    return true;
}

void TransportSession::close(std::uint32_t code, std::string_view reason) {
    if (!peer_) return;
    peer_->machine.close(session_, code, reason);
    peer_->drain();
}

// --- the door

TransportDoor::TransportDoor(io::Loop& loop, Options options, Admit admit, Enter enter)
    : loop_(loop),
      options_(std::move(options)),
      admit_(std::move(admit)),
      enter_(std::move(enter)) {}

TransportDoor::~TransportDoor() {
    for (const auto& [id, peer] : peers_) {
        peer->sessions.clear();
        peer->machine.go_away();
        peer->drain();
    }
    server_.reset();
}

Result<std::unique_ptr<TransportDoor>> TransportDoor::open(io::Loop& loop, Options options,
                                                           Admit admit, Enter enter) {
    std::unique_ptr<TransportDoor> door(
        new TransportDoor(loop, std::move(options), std::move(admit), std::move(enter)));
    if (door->options_.certificate.empty()) {
        door->pinned_.emplace(door->options_.lifetime);
        if (auto made = door->pinned_->renew(io::wall_now()); !made)
            return std::unexpected(made.error());
    }
    auto first = door->credentials();
    if (!first) return std::unexpected(first.error());
    io::quic::Server::Options quic;
    quic.max_connections = door->options_.max_connections;
    door->server_ = std::make_unique<io::quic::Server>(
        loop, std::move(*first), quic,
        [raw = door.get()](io::quic::Connection& connection) { raw->accepted(connection); });
    for (auto address : door->options_.addresses) {
        if (address.port == 0) address.port = door->port_;
        auto bound = door->server_->listen(address);
        if (!bound && address.ip == IpAddress::any_v6())
            bound = door->server_->listen({IpAddress::any_v4(), address.port});
        if (!bound && door->port_ != 0) {
            LOG_NOTICE(about, "no WebTransport on {}: {}", address.text(), bound.error().text());
            continue;
        }
        if (!bound) return std::unexpected(bound.error());
        door->port_ = bound->port;
        LOG_NOTICE(about, "WebTransport on {}", bound->text());
    }
    door->arm();
    return door;
}

Result<std::shared_ptr<const io::quic::Credentials>> TransportDoor::credentials() {
    if (pinned_)
        return io::quic::Credentials::from_pem(pinned_->current().certificate,
                                               pinned_->current().key);
    const auto certificate = io::read_file(options_.certificate, longest_pem);
    if (!certificate) return std::unexpected(certificate.error());
    const auto key = io::read_file(options_.key, longest_pem);
    if (!key) return std::unexpected(key.error());
    auto read = io::quic::Credentials::from_pem(*certificate, *key);
    if (!read) return std::unexpected(read.error().within(options_.certificate));
    return read;
}

Result<> TransportDoor::reload() {
    if (pinned_) return {};
    auto read = credentials();
    if (!read) return std::unexpected(read.error());
    server_->use(std::move(*read));
    return {};
}

void TransportDoor::arm() {
    if (!pinned_) return;
    const auto wait = std::clamp(pinned_->next() - io::wall_now(), soonest, latest);
    renewal_ = loop_.after(wait, [this] { renew(); });
}

void TransportDoor::renew() {
    const auto changed = pinned_->renew(io::wall_now());
    if (!changed) {
        LOG_ERROR(about, "certificate stays as it was: {}", changed.error().text());
    } else if (*changed) {
        if (auto made = credentials(); made) {
            server_->use(std::move(*made));
            LOG_NOTICE(about, "WebTransport has a new certificate, {}", pinned_->hashes().front());
        }
    }
    arm();
}

std::vector<std::string> TransportDoor::hashes() const {
    return pinned_ ? pinned_->hashes() : std::vector<std::string>();
}

std::size_t TransportDoor::sessions() const {
    std::size_t count = 0;
    for (const auto& [id, peer] : peers_) count += peer->sessions.size();
    return count;
}

void TransportDoor::accepted(io::quic::Connection& connection) {
    auto& peer = peers_[connection.id()] =
        std::make_unique<TransportSession::Peer>(*this, connection);
    peer->start();
}

}  // namespace strowger::broker
