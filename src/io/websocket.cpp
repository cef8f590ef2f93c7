#include "io/websocket.hpp"

#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <deque>

#include "base/text.hpp"
#include "io/loop_impl.hpp"

namespace strowger::io {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using ErrorCode = boost::system::error_code;

// What may wait between the stream and the WebSocket; beyond it the stream is paused.
constexpr std::size_t read_ahead = 64 << 10;
// Room for messages that a socket keeps after a larger one.
constexpr std::size_t kept_capacity = 4 << 10;

/// A Stream as Beast wants to see one: an Asio AsyncStream.
class Pipe {
public:
    using executor_type = asio::io_context::executor_type;

    struct State {
        Loop& loop;
        std::unique_ptr<Stream> stream;
        std::string input;
        bool ended = false;
        std::move_only_function<void()> reader;  // waits for input or the end

        void attach() {
            stream->start({.bytes =
                               [this](Bytes bytes) {
                                   input += as_text(bytes);
                                   if (input.size() > read_ahead) stream->pause(true);
                                   wake();
                               },
                           .closed =
                               [this](const Error&) {
                                   ended = true;
                                   wake();
                               }});
        }
        void wake() {
            if (auto fn = std::exchange(reader, nullptr)) fn();
        }
    };

    explicit Pipe(std::shared_ptr<State> state) : state_(std::move(state)) {}

    executor_type get_executor() noexcept { return state_->loop.impl().context.get_executor(); }

    template <typename Buffers, typename Handler>
    auto async_read_some(const Buffers& buffers, Handler&& handler) {
        return asio::async_initiate<Handler, void(ErrorCode, std::size_t)>(
            [state = state_, executor = get_executor()](auto done, auto into) {
                auto read = [state = state.get(), into, done = std::move(done)]() mutable {
                    const auto got = asio::buffer_copy(into, asio::buffer(state->input));
                    state->input.erase(0, got);
                    // Most sockets are idle most of the time: nothing is kept for the next message.
                    if (state->input.empty()) state->input = std::string();
                    if (state->stream && !state->ended && state->input.empty())
                        state->stream->pause(false);
                    const ErrorCode error =
                        got == 0 && state->ended ? asio::error::eof : ErrorCode{};
                    done(error, got);
                };
                if (state->input.empty() && !state->ended)
                    state->reader = std::move(read);
                else
                    asio::post(executor, [state, read = std::move(read)]() mutable { read(); });
            },
            handler, buffers);
    }

    template <typename Buffers, typename Handler>
    auto async_write_some(const Buffers& buffers, Handler&& handler) {
        return asio::async_initiate<Handler, void(ErrorCode, std::size_t)>(
            [state = state_, executor = get_executor()](auto done, const auto& from) {
                std::size_t length = 0;
                bool sent = state->stream && !state->ended;
                for (auto at = asio::buffer_sequence_begin(from);
                     sent && at != asio::buffer_sequence_end(from); ++at) {
                    const asio::const_buffer piece = *at;
                    sent = state->stream->send(
                        Bytes(static_cast<const std::uint8_t*>(piece.data()), piece.size()));
                    length += piece.size();
                }
                const ErrorCode error = sent ? ErrorCode{} : asio::error::broken_pipe;
                asio::post(executor, [done = std::move(done), error, length]() mutable {
                    done(error, error ? 0 : length);
                });
            },
            handler, buffers);
    }

    // What Beast calls when a peer has been silent too long, and at the end of a close.
    friend void beast_close_socket(Pipe& pipe) {
        auto& state = *pipe.state_;
        if (state.ended) return;
        state.ended = true;
        if (state.stream) state.stream->close();
        state.loop.post([kept = pipe.state_] { kept->wake(); });
    }
    friend void teardown(beast::role_type, Pipe& pipe, ErrorCode& error) {
        beast_close_socket(pipe);
        error = {};
    }
    template <typename Handler>
    friend void async_teardown(beast::role_type, Pipe& pipe, Handler&& handler) {
        beast_close_socket(pipe);
        asio::post(pipe.get_executor(),
                   [handler = std::forward<Handler>(handler)]() mutable { handler(ErrorCode{}); });
    }

private:
    std::shared_ptr<State> state_;
};

std::string choose_subprotocol(const HttpRequest& request, const WebSocket::Options& options) {
    for (const auto& own : options.subprotocols)
        if (request.headers.has_token("Sec-WebSocket-Protocol", own)) return own;
    return {};
}

struct Session : std::enable_shared_from_this<Session> {
    Session(std::shared_ptr<Pipe::State> p, HttpRequest r, const WebSocket::Options& o)
        : pipe(std::move(p)), ws(pipe), request(std::move(r)), options(o) {
        local = pipe->stream->local();
        remote = pipe->stream->remote();
        secure = pipe->stream->secure();
        id = pipe->stream->id();
    }

    struct Message {
        bool text;
        std::string bytes;
    };

    std::shared_ptr<Pipe::State> pipe;
    websocket::stream<Pipe> ws;
    HttpRequest request;
    WebSocket::Options options;
    std::string subprotocol;
    SocketAddress local, remote;
    bool secure = false;
    std::uint64_t id = 0;
    WebSocket::Handlers handlers;
    beast::flat_buffer buffer;
    std::deque<Message> queue;
    std::size_t queued = 0;
    bool writing = false;
    bool closing = false;  // by us, once the queue is empty
    bool close_sent = false;
    bool over = false;
    bool released = false;
    websocket::close_reason reason;

    void read() {
        ws.async_read(buffer, [self = shared_from_this()](ErrorCode error, std::size_t) {
            if (self->released) return;
            if (error) return self->finish(error);
            const auto data = self->buffer.cdata();
            const Bytes bytes(static_cast<const std::uint8_t*>(data.data()), data.size());
            if (self->handlers.message) self->handlers.message(bytes, self->ws.got_text());
            if (self->released) return;
            self->buffer.consume(self->buffer.size());
            if (self->buffer.capacity() > kept_capacity) self->buffer.shrink_to_fit();
            self->read();
        });
    }

    bool send(bool text, std::string bytes) {
        if (over || closing || queued + bytes.size() > options.max_queued) {
            if (!over && !closing) close(websocket::close_code::try_again_later, "too slow");
            return false;
        }
        queued += bytes.size();
        queue.push_back({text, std::move(bytes)});
        write_next();
        return true;
    }

    void write_next() {
        if (writing || over) return;
        if (queue.empty()) {
            if (closing) send_close();
            return;
        }
        writing = true;
        ws.text(queue.front().text);
        ws.async_write(asio::buffer(queue.front().bytes),
                       [self = shared_from_this()](ErrorCode error, std::size_t) {
                           self->writing = false;
                           if (self->released) return;
                           if (error) return self->finish(error);
                           self->queued -= self->queue.front().bytes.size();
                           self->queue.pop_front();
                           self->write_next();
                       });
    }

    void close(int code, std::string_view why) {
        if (over || closing) return;
        closing = true;
        // Section 5.5.1: a control frame holds 125 octets, two of them the code.
        reason = websocket::close_reason(
            static_cast<websocket::close_code>(code),
            beast::string_view(why.data(), std::min<std::size_t>(why.size(), 123)));
        write_next();
    }

    void send_close() {
        if (std::exchange(close_sent, true)) return;
        ws.async_close(reason, [self = shared_from_this()](ErrorCode error) {
            if (!self->released) self->finish(error ? error : websocket::error::closed);
        });
    }

    void finish(ErrorCode error) {
        if (std::exchange(over, true)) return;
        const auto keep = shared_from_this();
        const int code = error == websocket::error::closed ? ws.reason().code : 0;
        const auto fn = std::exchange(handlers.closed, nullptr);
        if (fn && !released)
            fn(Error(fmt::format("WebSocket {}: {}", remote.text(), error.message()), code));
    }

    // The owner has gone. The pending read holds this session: it must go too.
    void release() {
        released = true;
        if (pipe->stream) {
            if (over)
                Stream::close_and_forget(std::move(pipe->stream));
            else
                pipe->stream.reset();
        }
        pipe->ended = true;
        auto reader = std::exchange(pipe->reader, nullptr);
        pipe->loop.post([reader = std::move(reader)] {});  // not inside itself
    }
};

class ServerWebSocket final : public WebSocket {
public:
    explicit ServerWebSocket(std::shared_ptr<Session> session) : session_(std::move(session)) {}
    ~ServerWebSocket() override { session_->release(); }

    void start(Handlers handlers) override {
        const bool first = !session_->handlers.message && !session_->handlers.closed;
        session_->handlers = std::move(handlers);
        if (first) session_->read();
    }
    bool send_text(std::string_view text) override {
        return session_->send(true, std::string(text));
    }
    bool send_binary(Bytes bytes) override {
        return session_->send(false, std::string(as_text(bytes)));
    }
    void close(int code, std::string_view reason) override { session_->close(code, reason); }
    const HttpRequest& request() const override { return session_->request; }
    void forget_request() override { session_->request = {}; }
    const std::string& subprotocol() const override { return session_->subprotocol; }
    const SocketAddress& local() const override { return session_->local; }
    const SocketAddress& remote() const override { return session_->remote; }
    bool secure() const override { return session_->secure; }
    std::uint64_t id() const override { return session_->id; }

private:
    std::shared_ptr<Session> session_;  // shared with the operations in flight
};

}  // namespace

void accept_websocket(Loop& loop, std::unique_ptr<Stream> stream, HttpRequest request,
                      std::string received, const WebSocket::Options& options,
                      std::function<void(Result<std::unique_ptr<WebSocket>>)> ready) {
    const auto subprotocol = choose_subprotocol(request, options);
    if (options.require_subprotocol && subprotocol.empty()) {
        stream->send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        const auto offered = std::string(request.headers.get("Sec-WebSocket-Protocol"));
        Stream::close_and_forget(std::move(stream));
        return ready(fail("no common subprotocol in '{}'", offered));
    }
    beast::http::request<beast::http::empty_body> upgrade{beast::http::verb::get, request.target,
                                                          11};
    for (const auto& [name, value] : request.headers.fields) upgrade.insert(name, value);

    auto pipe =
        std::make_shared<Pipe::State>(Pipe::State{loop, std::move(stream), std::move(received)});
    auto session = std::make_shared<Session>(pipe, std::move(request), options);
    session->subprotocol = subprotocol;
    pipe->attach();
    auto& ws = session->ws;
    websocket::stream_base::timeout limits{};
    limits.handshake_timeout = std::chrono::seconds{10};
    // Beast pings at half of it and gives up at the whole.
    limits.idle_timeout =
        std::chrono::duration_cast<std::chrono::milliseconds>(2 * options.ping_interval);
    limits.keep_alive_pings = true;
    ws.set_option(limits);
    ws.set_option(
        websocket::stream_base::decorator([subprotocol](websocket::response_type& answer) {
            answer.set(beast::http::field::server, "Strowger");
            if (!subprotocol.empty())
                answer.set(beast::http::field::sec_websocket_protocol, subprotocol);
        }));
    ws.read_message_max(options.max_message);
    ws.auto_fragment(false);
    // Beast keeps what it needs of the request before it returns.
    ws.async_accept(upgrade, [session, ready = std::move(ready)](ErrorCode error) {
        if (!error)
            return ready(std::unique_ptr<WebSocket>(std::make_unique<ServerWebSocket>(session)));
        session->over = true;
        session->release();
        ready(fail("{}", error.message()));
    });
}

}  // namespace strowger::io
