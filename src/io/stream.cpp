#include "io/stream.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <unordered_map>

#include "base/log.hpp"
#include "io/descriptor.hpp"
#include "io/loop_impl.hpp"
#include "io/native_address.hpp"
#include "io/tls_impl.hpp"

namespace strowger::io {

namespace {

using namespace std::chrono_literals;

constexpr log::About about{"io"};
constexpr std::size_t read_size = 64 << 10;
// Reads of one stream in one round, so that a fast sender does not starve the others.
constexpr int max_reads_a_round = 8;
// A peer that stops reading may delay an orderly close by this much.
constexpr Duration flush_timeout = 10s;
// After our last byte we read on, for an early close would reset what is still under way.
constexpr Duration linger_timeout = 1s;
constexpr int accepts_a_round = 64;
// Out of descriptors, accept fails at once and would spin.
constexpr Duration accept_pause = 100ms;

std::uint64_t next_id() {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// One for all streams of the thread: bytes are valid only during the callback.
std::array<std::uint8_t, read_size>& read_buffer() {
    static thread_local std::array<std::uint8_t, read_size> buffer;
    return buffer;
}

// Room to write into, of the stream of this thread that was the last to have written all.
constexpr std::size_t max_spare_output = 64 << 10;
std::string& spare_output() {
    static thread_local std::string room;
    return room;
}

/// Who is connected to a listener, shared by it and its streams.
struct Admission {
    std::unordered_map<IpAddress, std::size_t> per_source;
    Listener::Counters counters;

    void release(const IpAddress& source) {
        --counters.open;
        const auto found = per_source.find(source);
        if (found != per_source.end() && --found->second == 0) per_source.erase(found);
    }
};

std::string common_name(X509* certificate) {
    std::array<char, 256> name{};
    if (X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(),
                                  name.size()) < 0)
        return {};
    return name.data();
}

void set_option(int fd, int level, int name, int value) {
    setsockopt(fd, level, name, &value, sizeof value);
}

}  // namespace

struct Stream::Impl : std::enable_shared_from_this<Impl> {
    Impl(Loop& owner, std::shared_ptr<const Options> with)
        : loop(owner), options(std::move(with)), idle_timeout(options->idle_timeout) {}

    enum class State { connecting, accepted, handshake, open, flushing, lingering, closed };

    Loop& loop;
    std::shared_ptr<const Options> options;  // the listener's, or of this connection alone
    Duration idle_timeout{};
    std::shared_ptr<Handlers> handlers = std::make_shared<Handlers>();  // in use while replaced
    State state = State::connecting;
    bool is_server = false;
    bool released = false;  // the owner has let go: silence
    bool paused = false;
    bool flush_due = false;
    bool write_blocked = false;
    bool overflowed = false;
    std::uint64_t number = next_id();
    SocketAddress local, remote;
    Descriptor fd;
    std::unique_ptr<SSL, SslFree> ssl;
    std::shared_ptr<Admission> admission;
    bool first_bytes_due = false;
    std::string out;
    std::size_t out_done = 0;
    Time last_activity{};
    Timer phase;  // connecting, first bytes, closing
    Timer idle;
    std::unique_ptr<Watch> watch;  // last: goes before the descriptor

    std::string name() const {
        return remote.port ? fmt::format("{} {}", options->tls ? "TLS" : "TCP", remote.text())
                           : std::string("Unix socket");
    }

    // --- beginning

    void set_up_tcp() {
        set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
        if (const auto& probing = options->keepalive; probing.enabled) {
            const auto seconds = [](std::chrono::seconds s) { return static_cast<int>(s.count()); };
            set_option(fd.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
            set_option(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, seconds(probing.idle));
            set_option(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL, seconds(probing.interval));
            set_option(fd.get(), IPPROTO_TCP, TCP_KEEPCNT, probing.probes);
        }
        if (options->tos) {
            set_option(fd.get(), IPPROTO_IP, IP_TOS, options->tos);
            if (remote.ip.is_v6()) set_option(fd.get(), IPPROTO_IPV6, IPV6_TCLASS, options->tos);
        }
    }

    void fail_later(Error error) {
        loop.post([self = shared_from_this(), error = std::move(error)] { self->finish(error); });
    }

    void begin_connect(int family, const sockaddr* address, socklen_t length) {
        phase = loop.after(options->connect_timeout, [this] {
            finish(Error(fmt::format("{}: no connection within {:.1f} s", name(),
                                     seconds(options->connect_timeout)),
                         ETIMEDOUT));
        });
        fd = Descriptor(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (!fd.valid()) return fail_later(system_error("socket", errno));
        if (family != AF_UNIX) set_up_tcp();
        if (options->local) {
            sockaddr_storage from{};
            const auto from_length = to_native(*options->local, family == AF_INET6, from);
            set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
            if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&from), from_length) != 0)
                return fail_later(system_error("bind", errno));
        }
        if (::connect(fd.get(), address, length) != 0 && errno != EINPROGRESS)
            return fail_later(system_error("connect", errno));
        watch = std::make_unique<Watch>(loop, fd.get());
        watch->on_writable([this] { on_connected(); });
    }

    Error system_error(const char* what, int code) const {
        return Error(fmt::format("{}: {}: {}", name(), what, std::strerror(code)), code);
    }

    void on_connected() {
        const auto keep = shared_from_this();
        int code = 0;
        socklen_t length = sizeof code;
        getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &code, &length);
        if (code != 0) return finish(system_error("connect", code));
        watch->on_writable(nullptr);
        if (remote.port) local = bound_address(fd.get());
        begin_session();
    }

    // The transport stands; TLS follows or the application begins.
    void begin_session() {
        if (!options->tls) return begin_open();
        ERR_clear_error();
        ssl.reset(SSL_new(options->tls->impl().context.get()));
        if (!ssl || SSL_set_fd(ssl.get(), fd.get()) != 1)
            return finish(Error(fmt::format("{}: {}", name(), tls_error_text())));
        if (is_server) {
            SSL_set_accept_state(ssl.get());
        } else {
            SSL_set_connect_state(ssl.get());
            const auto& wanted = options->server_name;
            const bool literal = IpAddress::parse(wanted).has_value();
            if (!wanted.empty() && !literal) SSL_set_tlsext_host_name(ssl.get(), wanted.c_str());
            if (options->tls->impl().options.verify_peer) {
                // Without a name the certificate must be for the address itself.
                X509_VERIFY_PARAM* rules = SSL_get0_param(ssl.get());
                if (!options->tls->impl().options.allow_wildcards)
                    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_WILDCARDS);
                const std::string ip =
                    literal ? IpAddress::parse(wanted)->text() : remote.ip.text();
                if (!wanted.empty() && !literal)
                    X509_VERIFY_PARAM_set1_host(rules, wanted.c_str(), wanted.size());
                else
                    X509_VERIFY_PARAM_set1_ip_asc(rules, ip.c_str());
            }
        }
        state = State::handshake;
        watch->on_readable([this] { handshake(); });
        handshake();
    }

    void handshake() {
        const auto keep = shared_from_this();
        ERR_clear_error();
        const int result = SSL_do_handshake(ssl.get());
        if (result == 1) {
            watch->on_writable(nullptr);
            return begin_open();
        }
        const int system_code = errno;
        switch (SSL_get_error(ssl.get(), result)) {
            case SSL_ERROR_WANT_READ: return watch->on_writable(nullptr);
            case SSL_ERROR_WANT_WRITE: return watch->on_writable([this] { handshake(); });
            default: break;
        }
        const auto verdict = SSL_get_verify_result(ssl.get());
        std::string reason = tls_error_text();
        if (verdict != X509_V_OK)
            reason += fmt::format(" ({})", X509_verify_cert_error_string(verdict));
        finish(Error(fmt::format("{}: TLS handshake: {}", name(), reason),
                     system_code == ECONNRESET ? ECONNRESET : EPROTO));
    }

    void begin_open() {
        state = State::open;
        if (!first_bytes_due) phase.cancel();
        touch();
        arm_idle();
        const auto keep = shared_from_this();
        if (const auto h = handlers; h->connected) h->connected();
        if (state == State::closed) return;
        if (!out.empty()) schedule_flush();
        if (paused || released) return;
        watch->on_readable([this] { on_readable(); });
        if (ssl) on_readable();  // data may have come with the handshake
    }

    // --- reading

    void touch() { last_activity = loop.now(); }

    void arm_idle() {
        idle.cancel();
        if (idle_timeout <= Duration::zero()) return;
        idle = loop.at(last_activity + idle_timeout, [this] {
            if (loop.now() < last_activity + idle_timeout) return arm_idle();
            finish(Error(fmt::format("{}: idle for {:.0f} s", name(), seconds(idle_timeout)),
                         ETIMEDOUT));
        });
    }

    // Bytes read, 0 when there are none now; nothing when the stream ended (and finish was called).
    std::optional<std::size_t> read_some() {
        auto& buffer = read_buffer();
        if (ssl) {
            ERR_clear_error();
            const int got = SSL_read(ssl.get(), buffer.data(), static_cast<int>(buffer.size()));
            if (got > 0) return static_cast<std::size_t>(got);
            const int code = errno;
            switch (SSL_get_error(ssl.get(), got)) {
                case SSL_ERROR_WANT_READ:
                case SSL_ERROR_WANT_WRITE: return 0;
                case SSL_ERROR_ZERO_RETURN: end_of_input(); return std::nullopt;
                case SSL_ERROR_SYSCALL:
                    finish(system_error("read", code ? code : ECONNRESET));
                    return std::nullopt;
                default:
                    finish(Error(fmt::format("{}: TLS: {}", name(), tls_error_text()), EPROTO));
                    return std::nullopt;
            }
        }
        const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
        if (got > 0) return static_cast<std::size_t>(got);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
        if (got < 0)
            finish(system_error("read", errno));
        else
            end_of_input();
        return std::nullopt;
    }

    void end_of_input() {
        if (state == State::open) write_out();  // what was queued before is still worth sending
        if (state != State::closed) finish(Error(fmt::format("{}: closed by the peer", name())));
    }

    void on_readable() {
        const auto keep = shared_from_this();
        for (int i = 0; i < max_reads_a_round; ++i) {
            if (state == State::lingering || state == State::flushing) {
                const auto got = read_some();
                if (!got || *got == 0) return;
                continue;
            }
            if (state != State::open || paused || released) return;
            const auto got = read_some();
            if (!got) return;
            if (*got == 0) break;
            touch();
            // The kernel falls back to delayed acknowledgements by itself: told at every read.
            if (options->quick_ack) set_option(fd.get(), IPPROTO_TCP, TCP_QUICKACK, 1);
            if (first_bytes_due) {
                first_bytes_due = false;
                phase.cancel();
            }
            if (const auto h = handlers; h->bytes) h->bytes(Bytes(read_buffer().data(), *got));
            // A short read says that the kernel has no more; TLS may hold a record back.
            if (!ssl && *got < read_size) break;
        }
        if (write_blocked && state != State::closed) write_out();  // TLS may have wanted to read
        if (ssl && state == State::open && !paused && SSL_pending(ssl.get()) > 0)
            loop.post([self = shared_from_this()] { self->on_readable(); });
    }

    // --- writing

    bool send(Bytes bytes) {
        if (state == State::closed || state >= State::flushing || overflowed) return false;
        if (out.size() - out_done + bytes.size() > options->max_queued) {
            overflowed = true;
            fail_later(Error(fmt::format("{}: the peer reads too slowly: {} bytes wait", name(),
                                         out.size() - out_done),
                             ENOBUFS));
            return false;
        }
        if (out.empty() && out.capacity() < bytes.size()) out.swap(spare_output());
        out.append(as_text(bytes));
        if (state == State::open) schedule_flush();
        return true;
    }

    void schedule_flush() {
        if (flush_due || write_blocked) return;
        flush_due = true;
        loop.at_round_end([self = shared_from_this()] {
            self->flush_due = false;
            if (self->state == State::open || self->state == State::flushing) self->write_out();
        });
    }

    // Written, 0 when the kernel takes no more now, -1 when it failed (and finish was called).
    ssize_t write_some(std::string_view text) {
        if (ssl) {
            ERR_clear_error();
            const int length = static_cast<int>(std::min<std::size_t>(text.size(), 1 << 20));
            const int sent = SSL_write(ssl.get(), text.data(), length);
            if (sent > 0) return sent;
            const int code = errno;
            switch (SSL_get_error(ssl.get(), sent)) {
                case SSL_ERROR_WANT_READ:
                case SSL_ERROR_WANT_WRITE: return 0;
                case SSL_ERROR_SYSCALL:
                    finish(system_error("write", code ? code : ECONNRESET));
                    return -1;
                default:
                    finish(Error(fmt::format("{}: TLS: {}", name(), tls_error_text()), EPROTO));
                    return -1;
            }
        }
        const ssize_t sent = ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (sent >= 0) return sent;
        if (errno == EAGAIN || errno == EINTR) return 0;
        finish(system_error("write", errno));
        return -1;
    }

    void write_out() {
        const auto keep = shared_from_this();
        while (out_done < out.size()) {
            const auto sent = write_some(std::string_view(out).substr(out_done));
            if (sent < 0) return;
            if (sent == 0) {
                if (!write_blocked) watch->on_writable([this] { write_out(); });
                write_blocked = true;
                // Bounded by max_queued; moved together only when half is gone.
                if (out_done > out.size() / 2) {
                    out.erase(0, out_done);
                    out_done = 0;
                }
                return;
            }
            out_done += static_cast<std::size_t>(sent);
            touch();
        }
        const bool had = !out.empty();
        out.clear();
        out_done = 0;
        lend_room();
        if (write_blocked) {
            write_blocked = false;
            watch->on_writable(nullptr);
        }
        if (state == State::flushing) return linger();
        if (const auto h = handlers; had && h->drained) h->drained();
    }

    // An idle stream holds no room: the next one to send, of whichever stream, uses it.
    void lend_room() {
        auto& spare = spare_output();
        if (out.capacity() <= max_spare_output && out.capacity() > spare.capacity())
            out.swap(spare);
        std::string().swap(out);
    }

    // --- ending

    void close() {
        if (state == State::closed || state >= State::flushing) return;
        if (state != State::open) {
            return fail_later(Error(fmt::format("{}: closed here", name())));
        }
        state = State::flushing;
        idle.cancel();
        phase = loop.after(flush_timeout, [this] {
            finish(Error(fmt::format("{}: closed here, but the peer did not read", name())));
        });
        watch->on_readable([this] { on_readable(); });
        schedule_flush();
    }

    void linger() {
        state = State::lingering;
        if (ssl) SSL_shutdown(ssl.get());
        ::shutdown(fd.get(), SHUT_WR);
        phase = loop.after(linger_timeout,
                           [this] { finish(Error(fmt::format("{}: closed here", name()))); });
    }

    void finish(const Error& error) {
        if (state == State::closed) return;
        const auto keep = shared_from_this();
        const bool by_us = state == State::lingering;
        drop();
        const auto h = std::exchange(handlers, std::make_shared<Handlers>());
        if (released || !h->closed) return;
        h->closed(by_us ? Error(fmt::format("{}: closed here", name())) : error);
    }

    void drop() {
        if (state == State::closed) return;
        state = State::closed;
        phase.cancel();
        idle.cancel();
        watch.reset();
        ssl.reset();
        fd.reset();
        if (admission) admission->release(remote.ip);
        admission.reset();
    }

    ~Impl() { drop(); }
};

Stream::Stream(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Stream::~Stream() {
    impl_->released = true;
    impl_->drop();
    impl_->handlers = std::make_shared<Handlers>();
}

std::unique_ptr<Stream> Stream::connect(Loop& loop, const SocketAddress& remote, Options options,
                                        Handlers handlers) {
    auto impl = std::make_shared<Impl>(loop, std::make_shared<const Options>(std::move(options)));
    *impl->handlers = std::move(handlers);
    impl->remote = remote;
    sockaddr_storage native{};
    const auto length = to_native(remote, remote.ip.is_v6(), native);
    impl->begin_connect(native.ss_family, reinterpret_cast<sockaddr*>(&native), length);
    return std::make_unique<Stream>(std::move(impl));
}

std::unique_ptr<Stream> Stream::connect_unix(Loop& loop, const std::string& path, Options options,
                                             Handlers handlers) {
    auto impl = std::make_shared<Impl>(loop, std::make_shared<const Options>(std::move(options)));
    *impl->handlers = std::move(handlers);
    sockaddr_un native{};
    native.sun_family = AF_UNIX;
    if (path.size() >= sizeof native.sun_path) {
        impl->fail_later(Error(fmt::format("Unix socket '{}': the path is longer than {} octets",
                                           path, sizeof native.sun_path - 1),
                               ENAMETOOLONG));
    } else {
        std::memcpy(native.sun_path, path.data(), path.size());
        impl->begin_connect(AF_UNIX, reinterpret_cast<sockaddr*>(&native), sizeof native);
    }
    return std::make_unique<Stream>(std::move(impl));
}

void Stream::start(Handlers handlers) {
    impl_->handlers = std::make_shared<Handlers>(std::move(handlers));
    if (impl_->state != Impl::State::accepted) return;
    impl_->state = Impl::State::handshake;
    // Not from inside the caller, who may still be arranging itself.
    impl_->loop.post([impl = impl_] {
        if (impl->state == Impl::State::handshake && !impl->released) impl->begin_session();
    });
}

bool Stream::send(Bytes bytes) { return impl_->send(bytes); }
void Stream::close() { impl_->close(); }

void Stream::close_and_forget(std::unique_ptr<Stream> stream) {
    // Owned by the loop until its last callback, which comes in any case: closing is bounded in
    // time.
    if (stream->impl_->state == Impl::State::closed) return;  // and it has come
    const std::shared_ptr<Stream> owned = std::move(stream);
    auto& kept = owned->impl_->loop.impl().kept;
    kept[owned.get()] = owned;
    owned->start({.closed = [&kept, key = owned.get()](const Error&) { kept.erase(key); }});
    owned->close();
}

void Stream::pause(bool paused) {
    if (impl_->paused == paused) return;
    impl_->paused = paused;
    if (impl_->state != Impl::State::open) return;
    if (paused) return impl_->watch->on_readable(nullptr);
    impl_->watch->on_readable([impl = impl_.get()] { impl->on_readable(); });
    // TLS may hold bytes that the kernel no longer announces.
    if (impl_->ssl) impl_->loop.post([impl = impl_] { impl->on_readable(); });
}

void Stream::set_idle_timeout(Duration timeout) {
    impl_->idle_timeout = timeout;
    if (impl_->state != Impl::State::open) return;
    impl_->touch();
    impl_->arm_idle();
}

bool Stream::open() const { return impl_->state < Impl::State::flushing && !impl_->overflowed; }
std::size_t Stream::queued() const { return impl_->out.size() - impl_->out_done; }
const SocketAddress& Stream::local() const { return impl_->local; }
const SocketAddress& Stream::remote() const { return impl_->remote; }
bool Stream::secure() const { return impl_->options->tls != nullptr; }
std::uint64_t Stream::id() const { return impl_->number; }

std::string Stream::alpn() const {
    if (!impl_->ssl) return {};
    const unsigned char* name = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(impl_->ssl.get(), &name, &length);
    return {reinterpret_cast<const char*>(name), length};
}

std::string Stream::server_name() const {
    if (!impl_->ssl) return {};
    const char* name = SSL_get_servername(impl_->ssl.get(), TLSEXT_NAMETYPE_host_name);
    return name ? name : "";
}

std::string Stream::peer_certificate_name() const {
    if (!impl_->ssl || SSL_get_verify_result(impl_->ssl.get()) != X509_V_OK) return {};
    if (SSL_get_verify_mode(impl_->ssl.get()) == SSL_VERIFY_NONE) return {};
    X509* certificate = SSL_get0_peer_certificate(impl_->ssl.get());
    return certificate ? common_name(certificate) : "";
}

// --- listening

struct Listener::Impl : std::enable_shared_from_this<Impl> {
    explicit Impl(Loop& owner) : loop(owner) {}

    Loop& loop;
    Options options;
    std::shared_ptr<const Stream::Options> of_streams;
    Accept accept;
    Descriptor fd;
    SocketAddress local;
    std::string unix_path;
    std::shared_ptr<Admission> admission = std::make_shared<Admission>();
    bool closed = false;
    Timer pause;
    std::unique_ptr<Watch> watch;

    void take(Options given) {
        options = std::move(given);
        auto made = std::make_shared<Stream::Options>(options.stream);
        made->tls = options.tls;
        of_streams = std::move(made);
    }

    void listen_now() {
        watch = std::make_unique<Watch>(loop, fd.get());
        watch->on_readable([this] { on_readable(); });
    }

    void on_readable() {
        const auto keep = shared_from_this();
        for (int i = 0; i < accepts_a_round && !closed; ++i) {
            sockaddr_storage native{};
            socklen_t length = sizeof native;
            Descriptor accepted(accept4(fd.get(), reinterpret_cast<sockaddr*>(&native), &length,
                                        SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (accepted.valid()) {
                admit(std::move(accepted), from_native(native));
                continue;
            }
            if (errno == EINTR || errno == ECONNABORTED) continue;
            if (errno == EAGAIN) return;
            LOG_WARNING(about, "{}: accept: {}; trying again in {} ms",
                        unix_path.empty() ? local.text() : unix_path, std::strerror(errno),
                        accept_pause / 1ms);
            watch->on_readable(nullptr);
            pause =
                loop.after(accept_pause, [this] { watch->on_readable([this] { on_readable(); }); });
            return;
        }
    }

    void admit(Descriptor accepted, const SocketAddress& remote) {
        auto& counters = admission->counters;
        if (counters.open >= options.max_connections) {
            ++counters.refused;
            return;
        }
        auto& from_source = admission->per_source[remote.ip];
        if (unix_path.empty() && from_source >= options.max_per_source) {
            ++counters.refused;
            return;
        }
        ++from_source;
        ++counters.open;
        ++counters.accepted;
        auto made = std::make_shared<Stream::Impl>(loop, of_streams);
        made->state = Stream::Impl::State::accepted;
        made->is_server = true;
        made->admission = admission;
        made->remote = remote;
        made->fd = std::move(accepted);
        if (unix_path.empty()) {
            made->local = bound_address(made->fd.get());
            made->set_up_tcp();
        }
        made->watch = std::make_unique<Watch>(loop, made->fd.get());
        if (options.first_bytes_timeout > Duration::zero()) {
            made->first_bytes_due = true;
            made->phase = loop.after(
                options.first_bytes_timeout,
                [stream = made.get(), counts = admission, limit = options.first_bytes_timeout] {
                    ++counts->counters.silent;
                    stream->finish(Error(fmt::format("{}: said nothing for {:.1f} s",
                                                     stream->name(), seconds(limit)),
                                         ETIMEDOUT));
                });
        }
        accept(std::make_unique<Stream>(std::move(made)));
    }
};

Listener::Listener(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Listener::~Listener() {
    impl_->closed = true;
    impl_->pause.cancel();
    impl_->watch.reset();
    impl_->fd.reset();
    if (!impl_->unix_path.empty()) ::unlink(impl_->unix_path.c_str());
}

SocketAddress Listener::local() const { return impl_->local; }
Listener::Counters Listener::counters() const { return impl_->admission->counters; }

Result<std::unique_ptr<Listener>> Listener::tcp(Loop& loop, const SocketAddress& address,
                                                Options options, Accept accept) {
    const auto failed = [&](const char* what) {
        const int code = errno;
        return fail_with(code, "TCP {}: {}: {}", address.text(), what, std::strerror(code));
    };
    auto impl = std::make_shared<Impl>(loop);
    const bool v6 = address.ip.is_v6();
    impl->fd =
        Descriptor(socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int fd = impl->fd.get();
    if (fd < 0) return failed("socket");
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.reuse_port) set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (v6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.v6_only);
    sockaddr_storage native{};
    const auto length = to_native(address, v6, native);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&native), length) != 0) return failed("bind");
    if (::listen(fd, options.backlog) != 0) return failed("listen");
    impl->local = bound_address(fd);
    impl->take(std::move(options));
    impl->accept = std::move(accept);
    impl->listen_now();
    return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

Result<std::unique_ptr<Listener>> Listener::unix_socket(Loop& loop, const std::string& path,
                                                        unsigned mode, Options options,
                                                        Accept accept) {
    const auto failed = [&](const char* what, int code) {
        return fail_with(code, "Unix socket '{}': {}: {}", path, what, std::strerror(code));
    };
    sockaddr_un native{};
    native.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof native.sun_path) return failed("path", ENAMETOOLONG);
    std::memcpy(native.sun_path, path.data(), path.size());
    auto* address = reinterpret_cast<sockaddr*>(&native);
    struct stat info{};
    if (::lstat(path.c_str(), &info) == 0) {
        if (!S_ISSOCK(info.st_mode)) return failed("something else is there", EEXIST);
        const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (::connect(probe.get(), address, sizeof native) == 0 || errno == EAGAIN)
            return failed("somebody serves it", EADDRINUSE);
        ::unlink(path.c_str());
    }
    auto impl = std::make_shared<Impl>(loop);
    impl->fd = Descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!impl->fd.valid()) return failed("socket", errno);
    // Between bind and chmod nobody may connect who will not be allowed to.
    ::fchmod(impl->fd.get(), mode);
    if (::bind(impl->fd.get(), address, sizeof native) != 0) return failed("bind", errno);
    ::chmod(path.c_str(), mode);
    if (::listen(impl->fd.get(), options.backlog) != 0) return failed("listen", errno);
    impl->unix_path = path;
    impl->take(std::move(options));
    impl->accept = std::move(accept);
    impl->listen_now();
    return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

}  // namespace strowger::io
