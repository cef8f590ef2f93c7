#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/pinned_certificates.hpp"
#include "io/http.hpp"
#include "io/loop.hpp"
#include "io/quic/server.hpp"
#include "wire/webtransport/connection.hpp"

namespace strowger::broker {

/// One WebTransport session as a link uses it. Destroying it closes the session.
class TransportSession {
public:
    using StreamId = webtransport::StreamId;
    struct Handlers {
        std::function<void(StreamId, Bytes, bool fin)> data;
        /// Once; not after the session was destroyed.
        std::function<void(const Error&)> closed;
    };

    ~TransportSession();
    void start(Handlers handlers);
    /// A bidirectional stream; nothing while the peer allows none.
    std::optional<StreamId> open_stream();
    bool send(StreamId stream, Bytes bytes);
    void close(std::uint32_t code, std::string_view reason);

    std::uint64_t id() const { return id_; }
    const io::HttpRequest& request() const { return request_; }  ///< that asked for it

private:
    friend class TransportDoor;
    struct Peer;
    TransportSession(Peer* peer, StreamId session, std::uint64_t id, io::HttpRequest request)
        : peer_(peer), session_(session), id_(id), request_(std::move(request)) {}
    void ended(const Error& error);

    Peer* peer_;  // nullptr: it is over
    StreamId session_;
    std::uint64_t id_;
    io::HttpRequest request_;
    Handlers handlers_;
};

/// Where providers come in over WebTransport: QUIC sockets, the certificates, and a session for
/// each request that is let in.
class TransportDoor {
public:
    struct Options {
        std::vector<SocketAddress> addresses;  ///< the first one's port is that of the others
        std::string certificate, key;  ///< PEM files; empty: made here, and known by their hash
        Duration lifetime = PinnedCertificates::longest_life;  ///< of those made here
        std::size_t max_connections = 4096;
    };
    /// 200 to let it in, else the status of the refusal.
    using Admit = std::function<unsigned(const io::HttpRequest&)>;
    using Enter = std::function<void(std::unique_ptr<TransportSession>)>;

    static Result<std::unique_ptr<TransportDoor>> open(io::Loop& loop, Options options, Admit admit,
                                                       Enter enter);
    ~TransportDoor();  ///< says goodbye on each connection

    /// Reads the PEM files again; what cannot be read stays as it was.
    Result<> reload();

    std::uint16_t port() const { return port_; }
    std::vector<std::string> hashes() const;  ///< empty with PEM files
    std::size_t sessions() const;
    const io::quic::Server& server() const { return *server_; }

private:
    TransportDoor(io::Loop& loop, Options options, Admit admit, Enter enter);
    Result<std::shared_ptr<const io::quic::Credentials>> credentials();
    void renew();
    void arm();
    void accepted(io::quic::Connection& connection);

    friend struct TransportSession::Peer;
    io::Loop& loop_;
    Options options_;
    Admit admit_;
    Enter enter_;
    std::optional<PinnedCertificates> pinned_;
    io::Timer renewal_;
    std::uint16_t port_ = 0;
    std::uint64_t last_id_ = 0;
    std::unordered_map<std::uint64_t, std::unique_ptr<TransportSession::Peer>> peers_;
    std::unique_ptr<io::quic::Server> server_;
};

}  // namespace strowger::broker
