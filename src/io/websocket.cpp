#include "io/websocket.hpp"

#include "wire/websocket/frame.hpp"
#include "wire/websocket/reader.hpp"

namespace strowger::io {

namespace {

using namespace std::chrono_literals;
using websocket::CloseCode;
using websocket::Opcode;

// How long a peer may take to answer our close before the connection goes without.
constexpr Duration close_timeout = 10s;

std::string choose_subprotocol(const HttpRequest& request, const WebSocket::Options& options) {
    for (const auto& own : options.subprotocols)
        if (request.headers.has_token("Sec-WebSocket-Protocol", own)) return own;
    return {};
}

/// As small as it can be: thousands of them are idle.
class ServerWebSocket final : public WebSocket {
public:
    ServerWebSocket(Loop& loop, std::unique_ptr<Stream> stream, HttpRequest request,
                    std::string received, const Options& options, std::string subprotocol)
        : loop_(loop),
          stream_(std::move(stream)),
          request_(std::make_unique<HttpRequest>(std::move(request))),
          early_(std::make_unique<std::string>(std::move(received))),
          subprotocol_(std::move(subprotocol)),
          reader_(options.max_message),
          max_queued_(options.max_queued),
          ping_interval_(options.ping_interval) {
        stream_->start({.bytes = [this](Bytes bytes) { receive(bytes); },
                        .closed = [this](const Error& error) { lost(error); }});
        stream_->pause(true);  // until somebody listens
    }

    ~ServerWebSocket() override {
        if (gone_) *gone_ = true;
        if (over_) Stream::close_and_forget(std::move(stream_));  // what is queued still goes out
    }

    void start(Handlers handlers) override {
        const bool first = !handlers_.message && !handlers_.closed;
        handlers_ = std::move(handlers);
        if (first && early_) timer_ = loop_.at(loop_.now(), [this] { begin(); });
    }
    bool send_text(std::string_view text) override { return send(Opcode::text, as_bytes(text)); }
    bool send_binary(Bytes bytes) override { return send(Opcode::binary, bytes); }

    void close(int code, std::string_view reason) override {
        if (over_ || closing_) return;
        send_frame(Opcode::close, as_bytes(websocket::close_payload(code, reason)));
        closing_ = true;
        timer_ = loop_.after(close_timeout, [this] { end("closed here, but not by the peer"); });
    }

    const HttpRequest& request() const override {
        static const HttpRequest forgotten;
        return request_ ? *request_ : forgotten;
    }
    void forget_request() override { request_.reset(); }
    const std::string& subprotocol() const override { return subprotocol_; }
    const SocketAddress& local() const override { return stream_->local(); }
    const SocketAddress& remote() const override { return stream_->remote(); }
    bool secure() const override { return stream_->secure(); }
    std::uint64_t id() const override { return stream_->id(); }

private:
    using Event = websocket::Reader::Event;

    void begin() {
        const auto received = std::move(early_);
        heard_ = loop_.now();
        if (!closing_) listen_for_silence();
        if (lost_) return end("closed by the peer");
        stream_->pause(false);
        receive(as_bytes(*received));
    }

    void receive(Bytes bytes) {
        if (early_) {
            *early_ += as_text(bytes);
            return;
        }
        heard_ = loop_.now();
        // The owner may destroy this in any of its callbacks.
        bool gone = false;
        gone_ = &gone;
        while (!gone && !over_) {
            const auto got = reader_.next(bytes);
            if (!got) {
                refuse(got.error());
                break;
            }
            if (!*got) break;
            take(**got);
        }
        if (!gone) gone_ = nullptr;
    }

    void take(const Event& event) {
        if (closing_ && event.kind != Event::Kind::close) return;
        switch (event.kind) {
            case Event::Kind::message:
                if (handlers_.message) handlers_.message(event.payload, event.text);
                return;
            case Event::Kind::ping: send_frame(Opcode::pong, event.payload); return;
            case Event::Kind::pong: return;
            case Event::Kind::close: return closed_by_peer(event);
        }
    }

    bool send(Opcode opcode, Bytes bytes) {
        if (over_ || closing_) return false;
        if (stream_->queued() + bytes.size() > max_queued_) {
            close(static_cast<int>(CloseCode::try_again_later), "too slow");
            return false;
        }
        return send_frame(opcode, bytes);
    }

    bool send_frame(Opcode opcode, Bytes payload) {
        return stream_->send(websocket::frame_header(opcode, payload.size())) &&
               stream_->send(payload);
    }

    // Section 5.5.1: a close is answered with the same code.
    void closed_by_peer(const Event& event) {
        if (closing_) return end("closed here", event.code);
        const bool with_code = event.code != static_cast<int>(CloseCode::none);
        const auto payload = with_code ? websocket::close_payload(event.code, {}) : std::string();
        send_frame(Opcode::close, as_bytes(payload));
        end(fmt::format("closed by the peer{}{}", event.payload.empty() ? "" : ": ",
                        as_text(event.payload)),
            with_code ? event.code : 0);
    }

    void refuse(const Error& error) {
        if (!closing_)
            send_frame(Opcode::close, as_bytes(websocket::close_payload(error.code(), {})));
        end(error.text());
    }

    void lost(const Error& error) {
        if (early_) {
            lost_ = true;  // told once somebody listens
            return;
        }
        end(error.text());
    }

    void listen_for_silence() {
        if (ping_interval_ <= Duration::zero()) return;
        const Duration silent = loop_.now() - heard_;
        if (silent >= 2 * ping_interval_)
            return end(fmt::format("said nothing for {:.1f} s, not even to a ping",
                                   seconds(2 * ping_interval_)));
        const bool pinged = silent >= ping_interval_;
        if (pinged) send_frame(Opcode::ping, {});
        timer_ =
            loop_.at(heard_ + (pinged ? 2 : 1) * ping_interval_, [this] { listen_for_silence(); });
    }

    // The last thing done: the owner may destroy this.
    void end(std::string_view why, int code = 0) {
        if (std::exchange(over_, true)) return;
        timer_.cancel();
        stream_->start({});
        stream_->close();
        if (const auto fn = std::exchange(handlers_.closed, nullptr))
            fn(Error(fmt::format("WebSocket {}: {}", remote().text(), why), code));
    }

    Loop& loop_;
    std::unique_ptr<Stream> stream_;
    std::unique_ptr<HttpRequest> request_;  // null: forgotten
    std::unique_ptr<std::string> early_;    // what came before `begin`; null: begun
    std::string subprotocol_;
    Handlers handlers_;
    websocket::Reader reader_;
    std::size_t max_queued_;
    Duration ping_interval_;
    Time heard_{};
    Timer timer_;           // of silence; once closing, of the peer's answer
    bool* gone_ = nullptr;  // set by the destructor, while a callback runs
    bool closing_ = false;  // our close has been sent, first
    bool lost_ = false;     // the connection, before `begin`
    bool over_ = false;
};

/// Why the request is no opening handshake (section 4.2.1): status line and further headers.
std::optional<std::string_view> objection(const HttpRequest& request) {
    if (request.headers.get("Sec-WebSocket-Version") != "13")
        return "426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
    if (request.method != "GET" || !request.headers.has_token("Connection", "upgrade") ||
        !websocket::is_key(request.headers.get("Sec-WebSocket-Key")))
        return "400 Bad Request";
    return std::nullopt;
}

}  // namespace

void accept_websocket(Loop& loop, std::unique_ptr<Stream> stream, HttpRequest request,
                      std::string received, const WebSocket::Options& options,
                      std::function<void(Result<std::unique_ptr<WebSocket>>)> ready) {
    const auto refuse = [&](std::string_view status, Error why) {
        stream->send(
            fmt::format("HTTP/1.1 {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status));
        Stream::close_and_forget(std::move(stream));
        ready(std::unexpected(std::move(why)));
    };
    if (const auto status = objection(request))
        return refuse(*status, Error(fmt::format("no opening handshake, answered {}",
                                                 status->substr(0, status->find('\r')))));
    auto subprotocol = choose_subprotocol(request, options);
    if (options.require_subprotocol && subprotocol.empty())
        return refuse("400 Bad Request",
                      Error(fmt::format("no common subprotocol in '{}'",
                                        request.headers.get("Sec-WebSocket-Protocol"))));
    stream->send(
        fmt::format("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n{}{}{}Server: Strowger\r\n"
                    "\r\n",
                    websocket::accept_value(request.headers.get("Sec-WebSocket-Key")),
                    subprotocol.empty() ? "" : "Sec-WebSocket-Protocol: ", subprotocol,
                    subprotocol.empty() ? "" : "\r\n"));
    ready(std::make_unique<ServerWebSocket>(loop, std::move(stream), std::move(request),
                                            std::move(received), options, std::move(subprotocol)));
}

}  // namespace strowger::io
