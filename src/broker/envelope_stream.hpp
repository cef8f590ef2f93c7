#pragma once

#include <memory>
#include <vector>

#include "broker/transport_door.hpp"
#include "io/websocket.hpp"

namespace strowger::broker {

/// The messages of a WebSocket on one WebTransport stream, which the peer opens: each after its
/// length in four bytes, the most significant one first. So a provider's link need not know which
/// of the two it has.
class EnvelopeStream final : public io::WebSocket {
public:
    EnvelopeStream(std::unique_ptr<TransportSession> session, std::string subprotocol,
                   std::size_t max_message);
    ~EnvelopeStream() override;

    void start(Handlers handlers) override;
    bool send_text(std::string_view text) override { return send_binary(as_bytes(text)); }
    bool send_binary(Bytes bytes) override;
    /// With the WebSocket's code (RFC 6455 section 7.4.1) as that of the session.
    void close(int code, std::string_view reason) override;

    const io::HttpRequest& request() const override { return session_->request(); }
    void forget_request() override {}  ///< the session's address stands in it
    const std::string& subprotocol() const override { return subprotocol_; }
    const SocketAddress& local() const override { return local_; }
    const SocketAddress& remote() const override { return session_->request().remote; }
    bool secure() const override { return true; }
    std::uint64_t id() const override { return session_->id(); }

private:
    /// Messages that may wait until the peer has opened its stream.
    static constexpr std::size_t max_early = 64;
    void receive(TransportSession::StreamId stream, Bytes bytes, bool fin);
    void deliver();

    std::unique_ptr<TransportSession> session_;
    std::string subprotocol_;
    std::size_t max_message_;
    SocketAddress local_;
    Handlers handlers_;
    std::optional<TransportSession::StreamId> stream_;
    std::vector<std::uint8_t> buffer_;
    std::vector<std::vector<std::uint8_t>> early_;
    std::shared_ptr<bool> alive_;  // shared with a delivery that may destroy this
};

}  // namespace strowger::broker
