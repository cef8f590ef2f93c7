// Data channels on a UDP socket that carries bare SCTP packets, for tests that set them beside
// other stacks. Echoes what comes, on the channel that it came on.
//
//   prints: port PORT | connected | opened ID ORDERED LABEL | message ID KIND SIZE | closed ID |
//   ended reads:  peer PORT | open ORDERED LABEL | send ID TEXT | close ID | quit
#include <poll.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "base/text.hpp"
#include "commands.hpp"
#include "io/media_socket.hpp"
#include "wire/datachannel/channels.hpp"

namespace strowger {
namespace {

using datachannel::Channels;

Time now() { return Time{std::chrono::steady_clock::now().time_since_epoch()}; }

class Peer {
public:
    explicit Peer(Channels::DtlsRole role)
        : association_({}), channels_(association_, {.role = role, .max_sent = 262144}) {
        for (std::uint16_t port = 42300; !socket_.is_open() && port < 42500; ++port) {
            if (auto opened = io::MediaSocket::open({loopback_, port})) {
                socket_ = std::move(*opened);
                say("port {}", port);
            }
        }
    }

    void run() {
        auto& stack = sctp::Stack::the_process();
        while (running_) {
            pollfd polled[] = {{STDIN_FILENO, POLLIN, 0}, {socket_.fd(), POLLIN, 0}};
            ::poll(polled, 2, static_cast<int>(sctp::Stack::step / std::chrono::milliseconds{1}));
            if (polled[0].revents) read_commands();
            std::array<std::uint8_t, 2048> buffer;
            SocketAddress from;
            while (const auto size = socket_.receive_from(buffer, from)) {
                association_.receive(Bytes(buffer).first(*size));
            }
            stack.tick(now());
            work();
        }
    }

private:
    void work() {
        send_what_waits();
        Channels::Event event;
        while (waiting_.empty() && channels_.poll(event)) take(event);
        for (Bytes packet = association_.next_packet(); !packet.empty();
             packet = association_.next_packet()) {
            socket_.send_to(packet, peer_);
        }
    }

    void take(const Channels::Event& event) {
        switch (event.kind) {
            case Channels::Event::Kind::connected: say("connected"); break;
            case Channels::Event::Kind::opened:
                say("opened {} {} {}", event.channel, channels_.settings(event.channel)->ordered,
                    channels_.settings(event.channel)->label);
                break;
            case Channels::Event::Kind::message:
                say("message {} {} {}", event.channel, event.text ? "text" : "binary",
                    event.bytes.size());
                if (channels_.send(event.channel, event.text, event.bytes) ==
                    Channels::Sent::full) {
                    waiting_.assign(event.bytes.begin(), event.bytes.end());
                    waiting_channel_ = event.channel;
                    waiting_text_ = event.text;
                }
                break;
            case Channels::Event::Kind::closed: say("closed {}", event.channel); break;
            case Channels::Event::Kind::writable: break;
            case Channels::Event::Kind::ended: say("ended"); break;
        }
    }

    void send_what_waits() {
        if (waiting_.empty()) return;
        if (channels_.send(waiting_channel_, waiting_text_, waiting_) != Channels::Sent::full) {
            waiting_.clear();
        }
    }

    void read_commands() {
        if (!commands_.read([this](std::string_view line) { obey(line); })) running_ = false;
    }

    void obey(std::string_view line) {
        const auto words = split(line, ' ');
        const auto number = words.size() > 1 ? parse_number<std::uint16_t>(words[1]) : std::nullopt;
        if (words[0] == "peer" && number) {
            peer_ = {loopback_, *number};
            if (auto begun = association_.connect(); !begun) say("{}", begun.error().text());
        } else if (words[0] == "open" && words.size() > 2) {
            (void)channels_.open({.label = std::string(words[2]), .ordered = words[1] == "true"});
        } else if (words[0] == "send" && number && words.size() > 2) {
            (void)channels_.send(*number, true, as_bytes(words[2]));
        } else if (words[0] == "close" && number) {
            channels_.close(*number);
        } else {
            running_ = false;
        }
    }

    IpAddress loopback_ = IpAddress::v4({127, 0, 0, 1});
    io::MediaSocket socket_;
    SocketAddress peer_;
    sctp::Association association_;
    Channels channels_;
    std::vector<std::uint8_t> waiting_;
    datachannel::ChannelId waiting_channel_ = 0;
    bool waiting_text_ = false;
    Commands commands_;
    bool running_ = true;
};

int run(int argc, char** argv) {
    CLI::App app("Data channels without DTLS");
    bool server = false;
    app.add_flag("--server", server, "number channels as the DTLS server does");
    CLI11_PARSE(app, argc, argv);
    Peer(server ? Channels::DtlsRole::server : Channels::DtlsRole::client).run();
    return 0;
}

}  // namespace
}  // namespace strowger

int main(int argc, char** argv) { return strowger::run(argc, argv); }
