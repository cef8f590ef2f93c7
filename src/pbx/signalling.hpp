#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "io/http_server.hpp"
#include "io/loop.hpp"
#include "io/stream.hpp"
#include "io/udp.hpp"
#include "pbx/config/transport.hpp"
#include "wire/sip/stream_framer.hpp"
#include "wire/sip/transaction_layer.hpp"

namespace strowger::pbx {

/// The SIP transaction layer on real sockets: UDP, TCP, TLS, WS and WSS of one signalling thread.
///
/// Bytes go up to the layer, its events come out at the handlers, and what it wants sent finds its
/// socket or connection, or opens one. Whoever calls a verb of the layer (or of a session on it)
/// calls `touch` afterwards; everything is then drained at the end of the loop's round.
class Signalling {
public:
    /// Connections that we opened or accepted, all transports together.
    static constexpr std::size_t max_connections = 20000;

    Signalling(io::Loop& loop, Random& random, sip::TransactionLayer::Config config);
    ~Signalling();

    /// Opens the socket of one transport. WS and WSS share one HTTP server per address; the path is
    /// /ws.
    Result<> open(const config::Transport& transport);
    /// The configuration was read again. New transports are opened; networks, external addresses
    /// and rules for certificates of changed ones hold from now on; with `allow_reload` their
    /// sockets are opened anew or closed, too. What only a restart would change is returned, a line
    /// each.
    std::vector<std::string> change(const std::vector<config::Transport>& transports);
    /// Reads the TLS certificates again; connections keep theirs.
    Result<> reload_certificates();

    sip::TransactionLayer& layer() { return layer_; }
    io::Loop& loop() { return loop_; }
    Random& random() { return random_; }
    Time now() { return loop_.now(); }

    using Handler = std::function<void(const sip::TransactionEvent&)>;
    /// Requests that belong to nobody yet, and ACKs likewise.
    void on_request(Handler handler) { on_request_ = std::move(handler); }
    /// Every message in and out, for traces. `sent` tells the direction.
    using Tap = std::function<void(const sip::Flow&, std::string_view bytes, bool sent)>;
    void on_message(Tap tap) { tap_ = std::move(tap); }
    /// A connection ended. Every handler that was ever given is told.
    void on_flow_closed(std::function<void(std::uint64_t)> handler) {
        on_flow_closed_.push_back(std::move(handler));
    }

    /// A new owner of transactions; its events go to `handler` until `detach`.
    sip::OwnerTag attach(Handler handler);
    void detach(sip::OwnerTag owner) { owners_.erase(owner); }

    void touch();

    /// The flow towards an address: local socket chosen by transport and family. `transport_name`
    /// (from the configuration) narrows the choice; empty takes any.
    /// `host` is what a server's certificate must be for (RFC 5922), where that is checked.
    Result<sip::Flow> flow_to(sip::Transport transport, const SocketAddress& remote,
                              std::string_view transport_name = {}, std::string_view host = {});
    /// Whether a connection (or bound UDP socket) with that id is still there.
    bool has_flow(std::uint64_t id) const;

    struct Listening {
        std::string name;
        sip::Transport transport;
        SocketAddress address;
    };
    const std::vector<Listening>& listening() const { return listening_; }
    /// The configuration behind a local address, for external addresses; null when none fits.
    const config::Transport* transport_of(const sip::Flow& flow) const;

private:
    struct Udp;
    struct Connection;
    /// How a connection that is not open yet is to be opened.
    struct Expected {
        std::string transport;  ///< whose rules count: of certificates, marks and probes
        std::string host;
    };
    /// Flows that were asked for and never used; beyond, the rules of those are forgotten.
    static constexpr std::size_t max_expected = 4096;

    void receive(const sip::Flow& flow, std::string_view bytes);
    void pump();
    void send(const sip::Transmit& transmit);
    void dispatch(const sip::TransactionEvent& event);
    Connection& keep(std::unique_ptr<Connection> connection);
    void adopt(std::unique_ptr<io::Stream> stream, sip::Transport transport);
    void adopt(std::unique_ptr<io::WebSocket> socket);
    void stream_bytes(std::uint64_t id, Bytes bytes);
    Connection* connect(const sip::Flow& flow);
    void closed(std::uint64_t id);
    void arm();
    void close(const std::string& name);
    const config::Transport* named(std::string_view name) const;
    std::shared_ptr<io::TlsContext> client_context(const std::string& transport);
    IpAddress source_for(const IpAddress& remote);

    io::Loop& loop_;
    Random& random_;
    sip::TransactionLayer layer_;
    Handler on_request_;
    Tap tap_;
    std::vector<std::function<void(std::uint64_t)>> on_flow_closed_;
    std::unordered_map<sip::OwnerTag, std::shared_ptr<Handler>> owners_;
    sip::OwnerTag next_owner_ = 1;
    std::vector<std::unique_ptr<Udp>> udp_;
    /// What a transport over connections listens with.
    struct Server {
        std::string name;
        std::unique_ptr<io::Listener> listener = {};
        std::unique_ptr<io::HttpServer> http = {};
        std::shared_ptr<io::TlsContext> tls = {};
    };
    std::vector<Server> servers_;
    /// Of connections that we open, by the transport whose rules they follow; "" has none.
    std::unordered_map<std::string, std::shared_ptr<io::TlsContext>> client_tls_;
    std::unordered_map<std::uint64_t, Expected> expected_;  ///< by flow
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    std::unordered_multimap<SocketAddress, std::uint64_t> by_remote_;  ///< ids of connections
    std::vector<Listening> listening_;
    std::vector<config::Transport> transports_;
    std::unordered_map<IpAddress, IpAddress> sources_;
    io::Timer timer_;
    Time armed_ = Time::max();
    bool touched_ = false;
    bool pumping_ = false;
    std::uint64_t next_flow_ = 1;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  ///< for what the loop still holds
};

}  // namespace strowger::pbx
