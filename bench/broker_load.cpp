// Loads a broker of the current generation: providers that answer every task at once, and a client
// that has tasks run, all over WebSockets on loopback, in one thread.
//
//   broker_load HOST PORT[,CLIENT_PORT] REF PROVIDERS SLOTS SECONDS [TASKS_A_SECOND]
//
// Without a rate the client keeps as many tasks under way as there are slots; with one it submits
// in time, whatever comes back. Without providers it is a client alone, of those that are there
// already, with SLOTS tasks under way. The client may be at another broker, that of CLIENT_PORT.
// REF is a stored program. Prints "ready" once all providers are known, waits for a line on
// standard input, and prints a line of JSON.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/text.hpp"
#include "wire/wasimoff/envelope.hpp"

namespace strowger {
namespace {

using Clock = std::chrono::steady_clock;
namespace pb = wasimoff::pb;

/// The client's end of a WebSocket (RFC 6455), as plain as a load generator may be: binary messages
/// in one frame each, a mask of zeros, pings answered.
class Socket {
public:
    Socket(const std::string& host, std::uint16_t port, const std::string& path) {
        fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        ::inet_pton(AF_INET, host.c_str(), &to.sin_addr);
        if (fd_ < 0 || ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
            throw std::runtime_error(fmt::format("cannot connect to {}:{}", host, port));
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const auto request = fmt::format(
            "GET {} HTTP/1.1\r\nHost: {}:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "User-Agent: broker_load\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
            path, host, port, wasimoff::protobuf_subprotocol);
        out_ = request;
        flush();
        std::size_t end;
        while ((end = in_.find("\r\n\r\n")) == std::string::npos) fill();
        if (!in_.starts_with("HTTP/1.1 101")) throw std::runtime_error(in_.substr(0, 200));
        in_.erase(0, end + 4);
    }
    ~Socket() { ::close(fd_); }
    Socket(const Socket&) = delete;

    int fd() const { return fd_; }

    void send(const std::string& message) { frame(2, message); }
    void flush() {
        for (std::size_t at = 0; at < out_.size();) {
            const auto sent = ::send(fd_, out_.data() + at, out_.size() - at, MSG_NOSIGNAL);
            if (sent <= 0) throw std::runtime_error("the broker closed the connection");
            at += static_cast<std::size_t>(sent);
        }
        out_.clear();
    }

    /// Reads what is there and calls `each(message)` for every whole one.
    template <typename Each>
    void read(Each each) {
        fill();
        std::size_t at = 0;
        for (;;) {
            const auto* bytes = reinterpret_cast<const std::uint8_t*>(in_.data()) + at;
            const std::size_t left = in_.size() - at;
            if (left < 2) break;
            std::size_t head = 2, size = bytes[1] & 0x7F;
            if (size == 126) {
                if (left < 4) break;
                size = static_cast<std::size_t>(bytes[2] << 8 | bytes[3]);
                head = 4;
            } else if (size == 127) {
                if (left < 10) break;
                size = 0;
                for (int i = 2; i < 10; ++i) size = size << 8 | bytes[i];
                head = 10;
            }
            if (left < head + size) break;
            const std::string_view content(in_.data() + at + head, size);
            const int opcode = bytes[0] & 0x0F;
            if (opcode == 9) frame(10, content);
            if (opcode == 8) throw std::runtime_error("the broker closed the WebSocket");
            if (opcode == 1 || opcode == 2) each(content);
            at += head + size;
        }
        in_.erase(0, at);
    }

private:
    void fill() {
        char piece[65536];
        const auto got = ::recv(fd_, piece, sizeof piece, 0);
        if (got <= 0) throw std::runtime_error("the broker closed the connection");
        in_.append(piece, static_cast<std::size_t>(got));
    }
    void frame(int opcode, std::string_view content) {
        out_ += static_cast<char>(0x80 | opcode);
        if (content.size() < 126) {
            out_ += static_cast<char>(0x80 | content.size());
        } else {
            out_ += static_cast<char>(0x80 | 126);
            out_ += static_cast<char>(content.size() >> 8);
            out_ += static_cast<char>(content.size() & 0xFF);
        }
        out_.append(4, '\0');  // the mask
        out_ += content;
    }

    int fd_;
    std::string in_, out_;
};

struct Figures {
    std::size_t done = 0, failed = 0;
    std::vector<double> milliseconds;
};

class Load {
public:
    Load(const std::string& host, std::uint16_t port, std::uint16_t client_port, std::string ref,
         int providers, int slots)
        : ref_(std::move(ref)),
          slots_(static_cast<std::size_t>(std::max(providers, 1) * slots)),
          poll_(::epoll_create1(0)) {
        for (int i = 0; i < providers; ++i) {
            sockets_.push_back(std::make_unique<Socket>(
                host, port, fmt::format("/api/provider/ws?id=load-{}", i)));
            pb::Event::FileSystemUpdate files;
            files.add_added(ref_);
            sockets_.back()->send(
                wasimoff::encode(wasimoff::Codec::protobuf, 0, wasimoff::Type::event, &files));
            pb::Event::ProviderResources resources;
            resources.set_concurrency(static_cast<std::uint32_t>(slots));
            resources.set_tasks(0);
            sockets_.back()->send(
                wasimoff::encode(wasimoff::Codec::protobuf, 1, wasimoff::Type::event, &resources));
            sockets_.back()->flush();
        }
        client_ = sockets_.size();
        sockets_.push_back(std::make_unique<Socket>(host, client_port, "/api/client/ws"));
        for (std::size_t i = 0; i < sockets_.size(); ++i) {
            epoll_event event{};
            event.events = EPOLLIN;
            event.data.u64 = i;
            ::epoll_ctl(poll_, EPOLL_CTL_ADD, sockets_[i]->fd(), &event);
        }
    }
    ~Load() { ::close(poll_); }
    Load(const Load&) = delete;

    /// Answers what comes for so long; submits by the rate, or (0) whenever a task has ended.
    Figures run(Clock::duration length, double rate, bool submitting) {
        figures_ = {};
        const auto began = Clock::now();
        std::size_t submitted = 0;
        while (Clock::now() - began < length) {
            if (submitting) {
                const double elapsed = std::chrono::duration<double>(Clock::now() - began).count();
                const std::size_t due = rate > 0 ? static_cast<std::size_t>(elapsed * rate)
                                                 : submitted + slots_ - begun_.size();
                for (; submitted < due; ++submitted) submit();
                sockets_[client_]->flush();
            }
            answer(rate > 0 ? 0 : 20);
        }
        return std::move(figures_);
    }
    /// Until nothing is under way, or too long has passed.
    void drain() {
        const auto until = Clock::now() + std::chrono::seconds(5);
        while (!begun_.empty() && Clock::now() < until) answer(20);
    }
    /// Answers until a line comes on standard input; false at its end.
    bool wait_for_line() {
        pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
        while (::poll(&input, 1, 0) == 0) answer(20);
        return std::getchar() != EOF;
    }
    std::size_t under_way() const { return begun_.size(); }

private:
    void submit() {
        pb::Task::Wasip1::Request request;
        request.mutable_params()->mutable_binary()->set_ref(ref_);
        begun_[sequence_] = Clock::now();
        sockets_[client_]->send(wasimoff::encode(wasimoff::Codec::protobuf, sequence_++,
                                                 wasimoff::Type::request, &request));
    }

    void answer(int milliseconds) {
        epoll_event events[128];
        const int count = ::epoll_wait(poll_, events, 128, milliseconds);
        for (int i = 0; i < count; ++i) {
            auto& socket = *sockets_[events[i].data.u64];
            if (events[i].data.u64 == client_)
                socket.read([&](std::string_view message) { result(message); });
            else
                socket.read([&](std::string_view message) { task(socket, message); });
            socket.flush();
        }
    }

    static void task(Socket& socket, std::string_view message) {
        const auto envelope = wasimoff::decode(wasimoff::Codec::protobuf, as_bytes(message));
        if (!envelope || envelope->type != wasimoff::Type::request) return;
        pb::Task::Wasip1::Response response;  // others than tasks are pings, and take any answer
        response.mutable_ok()->set_status(0);
        socket.send(wasimoff::encode(wasimoff::Codec::protobuf, envelope->sequence,
                                     wasimoff::Type::response, &response));
    }

    void result(std::string_view message) {
        const auto envelope = wasimoff::decode(wasimoff::Codec::protobuf, as_bytes(message));
        if (!envelope || envelope->type != wasimoff::Type::response) return;
        const auto found = begun_.find(envelope->sequence);
        if (found == begun_.end()) return;
        pb::Task::Wasip1::Response response;
        const bool good = !envelope->error && envelope->read(response) && response.has_ok();
        ++(good ? figures_.done : figures_.failed);
        figures_.milliseconds.push_back(
            std::chrono::duration<double, std::milli>(Clock::now() - found->second).count());
        begun_.erase(found);
    }

    std::string ref_;
    std::size_t slots_;
    int poll_;
    std::vector<std::unique_ptr<Socket>> sockets_;
    std::size_t client_ = 0;
    std::uint64_t sequence_ = 1;
    std::unordered_map<std::uint64_t, Clock::time_point> begun_;
    Figures figures_;
};

double share(std::vector<double>& values, double part) {
    if (values.empty()) return 0;
    std::ranges::sort(values);
    return values[std::min(values.size() - 1,
                           static_cast<std::size_t>(part * static_cast<double>(values.size())))];
}

int run(const std::vector<std::string>& arguments) {
    if (arguments.size() < 6) {
        fmt::print(stderr,
                   "broker_load HOST PORT[,CLIENT_PORT] REF PROVIDERS SLOTS SECONDS "
                   "[TASKS_A_SECOND]\n");
        return 2;
    }
    const double rate = arguments.size() > 6 ? std::stod(arguments[6]) : 0;
    const auto [port, client_port] = split_once(arguments[1], ',');
    const auto number = [](std::string_view text) {
        return static_cast<std::uint16_t>(std::stoi(std::string(text)));
    };
    Load load(arguments[0], number(port), number(client_port.empty() ? port : client_port),
              arguments[2], std::stoi(arguments[3]), std::stoi(arguments[4]));
    load.run(std::chrono::milliseconds(500), rate, true);
    load.drain();
    fmt::print("ready\n");
    std::fflush(stdout);
    if (!load.wait_for_line()) return 1;
    const auto began = Clock::now();
    auto figures = load.run(std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double>(std::stod(arguments[5]))),
                            rate, true);
    const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
    load.drain();
    fmt::print(
        R"({{"tasks": {}, "failed": {}, "lost": {}, "seconds": {:.3f}, "p50": {:.3f}, "p99": {:.3f}}})"
        "\n",
        figures.done, figures.failed, load.under_way(), seconds, share(figures.milliseconds, 0.5),
        share(figures.milliseconds, 0.99));
    return 0;
}

}  // namespace
}  // namespace strowger

int main(int argc, char** argv) {
    try {
        return strowger::run({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
}
