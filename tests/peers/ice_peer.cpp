// One side of an ICE session on real sockets, for tests that set it beside other stacks. What it
// knows it prints, and what the peer says is told to it, a line each:
//
//   prints: credentials UFRAG PWD | candidate:… | gathered | event KIND COMPONENT ADDRESS | data
//   TEXT
//           role ROLE
//   reads:  remote UFRAG PWD [lite] | candidate:… | end | send TEXT | restart | role | mux | quit
#include <poll.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <deque>

#include "base/text.hpp"
#include "commands.hpp"
#include "io/media_socket.hpp"
#include "wire/ice/agent.hpp"
#include "wire/ice/gatherer.hpp"

namespace strowger {
namespace {

Time now() { return Time{std::chrono::steady_clock::now().time_since_epoch()}; }

std::string_view text_of(ice::Agent::Event::Kind kind) {
    switch (kind) {
        case ice::Agent::Event::Kind::tuple_seen: return "tuple";
        case ice::Agent::Event::Kind::connected: return "connected";
        case ice::Agent::Event::Kind::selected: return "selected";
        case ice::Agent::Event::Kind::failed: return "failed";
        case ice::Agent::Event::Kind::consent_lost: return "consent-lost";
    }
    return "";
}

class Peer {
public:
    explicit Peer(const ice::Agent::Config& config)
        : agent_(config, random_), gatherer_({}, random_) {
        say("credentials {} {}", agent_.local().ufrag, agent_.local().pwd);
    }

    /// False when the address cannot be bound.
    bool open(const IpAddress& bind, const IpAddress& announced, std::uint16_t component) {
        for (std::uint16_t port = first_port; port < first_port + 200; ++port) {
            auto socket = io::MediaSocket::open({bind, port});
            if (!socket) continue;
            sockets_.push_back(std::move(*socket));
            const auto candidate = ice::Candidate::host(
                {announced, port}, component, static_cast<std::uint16_t>(65536 - sockets_.size()));
            hosts_.push_back(candidate);
            say("{}", candidate.text());
            return agent_.add_local(candidate, id_of(sockets_.size() - 1)).has_value();
        }
        return false;
    }

    void gather(const SocketAddress& server) {
        for (std::size_t i = 0; i < hosts_.size(); ++i) gatherer_.ask(hosts_[i], id_of(i), server);
    }

    /// Until it is told to quit, or nobody is there to tell it.
    void run() {
        while (running_) {
            work();
            std::vector<pollfd> polled{{STDIN_FILENO, POLLIN, 0}};
            for (const auto& socket : sockets_) polled.push_back({socket.fd(), POLLIN, 0});
            ::poll(polled.data(), polled.size(), wait());
            if (polled[0].revents) read_commands();
            for (std::size_t i = 0; i < sockets_.size(); ++i) {
                if (polled[i + 1].revents) read(i);
            }
        }
    }

private:
    static constexpr std::uint16_t first_port = 42000;
    static ice::SocketId id_of(std::size_t index) { return static_cast<ice::SocketId>(index); }

    int wait() const {
        const Time next = std::min(agent_.deadline(), gatherer_.deadline());
        if (next == Time::max()) return -1;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now()).count();
        return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1000));
    }

    void read(std::size_t index) {
        std::array<std::uint8_t, 2048> buffer;
        SocketAddress from;
        while (const auto size = sockets_[index].receive_from(buffer, from)) {
            const ice::Datagram datagram{id_of(index), from, Bytes(buffer).first(*size)};
            if (!stun::looks_like_stun(datagram.bytes)) {
                say("data {}", as_text(datagram.bytes));
            } else if (!gatherer_.receive(datagram, now())) {
                agent_.receive(datagram, now());
            }
        }
    }

    void work() {
        agent_.tick(now());
        gatherer_.tick(now());
        ice::Gatherer::Event found;
        while (gatherer_.poll(found)) {
            (void)agent_.add_local(found.candidate, found.socket);
            say("{}", found.candidate.text());
        }
        if (!gathered_ && gatherer_.finished()) {
            gathered_ = true;
            say("gathered");
        }
        while (gatherer_.poll(transmit_) || agent_.poll(transmit_)) {
            sockets_[transmit_.socket].send_to(transmit_.bytes(), transmit_.to);
        }
        ice::Agent::Event event;
        while (agent_.poll(event)) {
            say("event {} {} {}", text_of(event.kind), event.path.component,
                event.path.remote.text());
        }
    }

    void read_commands() {
        if (!commands_.read([this](std::string_view line) { obey(line); })) running_ = false;
    }

    void obey(std::string_view line) {
        const auto words = split(line, ' ');
        Result<> done;
        if (words[0] == "remote" && words.size() >= 3) {
            done = agent_.set_remote({std::string(words[1]), std::string(words[2])},
                                     words.size() > 3 && words[3] == "lite");
        } else if (line.starts_with("candidate:")) {
            const auto candidate = ice::Candidate::parse(line);
            done = candidate ? agent_.add_remote(*candidate) : std::unexpected(candidate.error());
        } else if (words[0] == "end") {
            agent_.end_of_candidates();
        } else if (words[0] == "mux") {
            agent_.use_one_component();
        } else if (words[0] == "role") {
            say("role {}", agent_.role() == ice::Role::controlling ? "controlling" : "controlled");
        } else if (words[0] == "send" && words.size() >= 2) {
            if (const auto path = agent_.path()) {
                sockets_[path->socket].send_to(as_bytes(line.substr(5)), path->remote);
            } else {
                say("nowhere to send");
            }
        } else if (words[0] == "restart") {
            agent_.restart(ice::Credentials::generate());
            say("credentials {} {}", agent_.local().ufrag, agent_.local().pwd);
        } else {
            running_ = words[0] != "quit";
        }
        if (!done) say("refused {}", done.error().text());
    }

    Random random_ = Random::system();
    ice::Agent agent_;
    ice::Gatherer gatherer_;
    std::deque<io::MediaSocket> sockets_;
    std::vector<ice::Candidate> hosts_;
    ice::Transmit transmit_;
    Commands commands_;
    bool gathered_ = false;
    bool running_ = true;
};

int run(int argc, char** argv) {
    CLI::App app("One side of an ICE session");
    bool controlling = false, lite = false, triggered = false;
    std::uint16_t components = 1;
    std::vector<std::string> binds{"127.0.0.1"};
    std::string server, announced;
    app.add_flag("--controlling", controlling);
    app.add_flag("--lite", lite);
    app.add_flag("--triggered", triggered, "no checks but in return");
    app.add_option("--components", components);
    app.add_option("--bind", binds);
    app.add_option("--announce", announced, "say that sockets are at this address");
    app.add_option("--stun", server);
    CLI11_PARSE(app, argc, argv);

    ice::Agent::Config config;
    config.role = controlling ? ice::Role::controlling : ice::Role::controlled;
    config.lite = lite;
    config.ordinary_checks = !triggered;
    config.components = components;
    config.local = ice::Credentials::generate();
    Peer peer(config);
    for (const auto& bind : binds) {
        const auto ip = IpAddress::parse(bind);
        for (std::uint16_t component = 1; ip && component <= components; ++component) {
            if (!peer.open(*ip, IpAddress::parse(announced).value_or(*ip), component)) return 1;
        }
    }
    if (const auto address = SocketAddress::parse(server, 3478)) peer.gather(*address);
    peer.run();
    return 0;
}

}  // namespace
}  // namespace strowger

int main(int argc, char** argv) { return strowger::run(argc, argv); }
