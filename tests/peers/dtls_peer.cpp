// One end of a DTLS association on a UDP socket of loopback, for tests with other stacks:
//
//     dtls_peer client|server PORT FINGERPRINT [MTU [rsa]]
//
// It says on standard output, a line each: its fingerprint; `connected SUITE LOCAL REMOTE`, the
// keys in hexadecimal; `received TEXT`; `closed` or `failed WHY`, with which it ends. A server
// sends back what it receives. A client sends "hello" and closes when something has come back.
// FINGERPRINT is that of the peer's certificate.
#include <arpa/inet.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/text.hpp"
#include "wire/dtls/connection.hpp"

using namespace strowger;

namespace {

constexpr auto longest = std::chrono::seconds{30};

Time now() { return Time(std::chrono::steady_clock::now().time_since_epoch()); }

template <typename... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
    fmt::print(format, std::forward<Args>(args)...);
    std::fputc('\n', stdout);
    std::fflush(stdout);
}

class Peer {
public:
    Peer(dtls::Connection& connection, bool client, std::uint16_t port)
        : connection_(connection), client_(client), socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const auto* generic = reinterpret_cast<const sockaddr*>(&address);
        const int done = client ? ::connect(socket_, generic, sizeof address)
                                : ::bind(socket_, generic, sizeof address);
        if (done != 0) say("failed socket: {}", std::strerror(errno));
        bound_ = done == 0;
    }
    ~Peer() { ::close(socket_); }

    int run() {
        const Time end = now() + longest;
        if (bound_ && !client_) say("listening");
        connection_.start(now());
        while (bound_ && now() < end && !ended_) {
            read_events();
            send_all();
            if (!ended_) wait(end);
        }
        send_all();
        return ended_ && !failed_ ? 0 : 1;
    }

private:
    void wait(Time end) {
        const auto left = std::min(connection_.deadline(), end) - now();
        pollfd ready{.fd = socket_, .events = POLLIN, .revents = 0};
        const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(left).count();
        ::poll(&ready, 1, static_cast<int>(std::max<long>(timeout, 0)));
        std::uint8_t buffer[dtls::max_datagram];
        sockaddr_in from{};
        socklen_t size = sizeof from;
        const auto got = ::recvfrom(socket_, buffer, sizeof buffer, MSG_DONTWAIT,
                                    reinterpret_cast<sockaddr*>(&from), &size);
        if (got > 0) {
            if (!client_ && !from_known_) {
                ::connect(socket_, reinterpret_cast<const sockaddr*>(&from), size);
                from_known_ = true;
            }
            connection_.receive(Bytes(buffer, static_cast<std::size_t>(got)), now());
        }
        connection_.tick(now());
    }

    void send_all() {
        for (Bytes datagram; connection_.poll(datagram);) {
            (void)::send(socket_, datagram.data(), datagram.size(), 0);
        }
    }

    void read_events() {
        for (dtls::Event event; connection_.poll(event);) {
            if (const auto* up = std::get_if<dtls::Connected>(&event)) {
                connected(*up);
            } else if (const auto* data = std::get_if<dtls::Received>(&event)) {
                const std::string text(as_text(data->data));
                say("received {}", text);
                if (!client_) (void)connection_.send(as_bytes(text));
                if (client_) connection_.close();
                if (client_) ended_ = true;
            } else if (const auto* failure = std::get_if<dtls::Failed>(&event)) {
                say("failed {}", failure->error.text());
                ended_ = failed_ = true;
            } else {
                say("closed");
                ended_ = true;
            }
        }
    }

    void connected(const dtls::Connected& up) {
        if (up.srtp) {
            say("connected {} {} {}", srtp::info_of(up.srtp->suite).name,
                to_hex(as_text(up.srtp->local.key_and_salt())),
                to_hex(as_text(up.srtp->remote.key_and_salt())));
        } else {
            say("connected none");
        }
        if (client_) (void)connection_.send(as_bytes("hello\n"));
    }

    dtls::Connection& connection_;
    bool client_;
    int socket_;
    bool bound_ = false, from_known_ = false, ended_ = false, failed_ = false;
};

}  // namespace

int main(int count, char** arguments) {
    if (count < 4) {
        say("failed usage: dtls_peer client|server PORT FINGERPRINT [MTU [rsa]]");
        return 2;
    }
    const bool client = std::string_view(arguments[1]) == "client";
    const auto key = count > 5 ? dtls::Certificate::Key::rsa : dtls::Certificate::Key::ecdsa_p256;
    const WallTime today = std::chrono::system_clock::now();
    const auto identity = dtls::Identity::make(dtls::Certificate::self_signed(key, today)).value();
    dtls::Connection::Config config;
    config.role = client ? dtls::Role::client : dtls::Role::server;
    config.fingerprints = {dtls::Fingerprint::parse(arguments[3]).value()};
    config.accept_sha_1 = true;
    if (count > 4) config.mtu = parse_number<std::size_t>(arguments[4]).value();
    config.suites.push_back(srtp::Suite::aes_cm_128_hmac_sha1_32);
    dtls::Connection connection(identity, config);
    say("fingerprint {}", identity->fingerprint().text());
    return Peer(connection, client, parse_number<std::uint16_t>(arguments[2]).value()).run();
}
