// What one forwarded RTP packet costs: LocalEngine on CPU 0, a generator process on CPU 1,
// loopback.
//
//     media_forward [streams...]      default: 400 1200 3000, that is 20, 60 and 150 kpps
//
// The shape is that of the table in docs: each stream has a port of its own and sends 172 bytes
// every 20 ms, spread in steps of 100 us; the generator reads its sockets on a timer and never
// sleeps on them, so that waking it is not charged to the engine. Refused when packets are lost.
//
// Beside it, in turn, runs the least that could forward: an epoll loop with connected sockets that
// receives and sends, and knows nothing of RTP. Times of different runs of a busy or virtual
// machine do not compare; the ratio of the two does.

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

#include "io/clock.hpp"
#include "io/media_socket.hpp"
#include "io/poller.hpp"
#include "media_owner.hpp"
#include "wire/rtp/packet.hpp"
#include "wire/sdp/session.hpp"

namespace strowger::bench {
namespace {

using namespace std::chrono_literals;

constexpr unsigned max_streams = 4000;
constexpr Duration step = 100us;
constexpr unsigned steps = 200;  // in 20 ms
constexpr int rounds = 3;
constexpr Duration warm_up = 2s, measured = 2s;
constexpr unsigned first_phone_port = 10000;

struct Shared {
    std::atomic<bool> ready, go, stop;
    std::atomic<std::uint64_t> sent, received;
    std::uint16_t engine_ports[max_streams];
};

void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (::sched_setaffinity(0, sizeof set, &set) < 0) std::perror("sched_setaffinity");
}

std::uint16_t phone_port(unsigned stream) {
    return static_cast<std::uint16_t>(first_phone_port + 2 * stream);
}

[[noreturn]] void generate(Shared& shared, unsigned streams) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(1);
    const auto here = *IpAddress::parse("127.0.0.2");
    std::vector<io::MediaSocket> sockets;
    for (unsigned i = 0; i < streams; ++i) {
        auto socket = io::MediaSocket::open({here, phone_port(i)});
        if (!socket) {
            std::fprintf(stderr, "%s\n", socket.error().text().c_str());
            std::_Exit(1);
        }
        sockets.push_back(std::move(*socket));
    }
    shared.ready = true;
    while (!shared.go) ::usleep(1000);
    const auto engine = *IpAddress::parse("127.0.0.1");
    for (unsigned i = 0; i < streams; ++i) sockets[i].connect({engine, shared.engine_ports[i]});

    std::array<std::uint8_t, 172> packet{};
    std::array<std::uint8_t, 2048> buffer;
    std::uint64_t sent = 0, received = 0;
    Time next = io::monotonic_now();
    for (std::uint64_t tick = 0; !shared.stop; ++tick, next += step) {
        while (io::monotonic_now() < next) {}
        const auto round = static_cast<std::uint32_t>(tick / steps);
        for (unsigned i = tick % steps; i < streams; i += steps) {
            while (sockets[i].receive(buffer)) ++received;
            rtp::write_header({.payload_type = 0,
                               .sequence = static_cast<std::uint16_t>(round),
                               .timestamp = round * 160,
                               .ssrc = i + 1},
                              packet);
            sent += sockets[i].send(packet);
        }
        shared.sent.store(sent, std::memory_order_relaxed);
        shared.received.store(received, std::memory_order_relaxed);
    }
    std::_Exit(0);
}

/// The yardstick: spec/relay-datapath.md method C with nothing around it.
class BareRelay {
public:
    explicit BareRelay(Shared& shared, unsigned streams) {
        for (unsigned i = 0; i < streams; ++i) {
            const auto port = static_cast<std::uint16_t>(30000 + 2 * i);
            sockets_.push_back(*io::MediaSocket::open({*IpAddress::parse("127.0.0.1"), port}));
            sockets_.back().connect({*IpAddress::parse("127.0.0.2"), phone_port(i)});
            (void)poller_.add(sockets_.back().fd(), i);
            shared.engine_ports[i] = port;
        }
        thread_ = std::thread([this] { run(); });
    }
    ~BareRelay() {
        stop_ = true;
        thread_.join();
    }

private:
    void run() {
        std::array<std::uint8_t, 2048> buffer;
        while (!stop_) {
            for (const auto& event : poller_.wait(100ms)) {
                const auto size = sockets_[event.data.u64].receive(buffer);
                if (size) sockets_[event.data.u64 ^ 1].send(Bytes(buffer).first(*size));
            }
        }
    }

    io::Poller poller_;
    std::vector<io::MediaSocket> sockets_;
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

class EngineRelay {
public:
    explicit EngineRelay(Shared& shared, unsigned streams)
        : engine_({.threads = 1, .first_port = 30000, .last_port = 39999}) {
        for (unsigned i = 0; i < streams; ++i) {
            const media::Party party{"call" + std::to_string(i / 2), i % 2 ? "b" : "a"};
            const auto answer =
                run(engine_, engine_.publish({party, phone_sdp("127.0.0.2", phone_port(i)), {}}));
            shared.engine_ports[i] = sdp::Session::parse(answer)->media[0].port;
            if (i % 2) run(engine_, engine_.connect({{party.call, "a"}, {party.call, "b"}}));
        }
    }

private:
    media::LocalEngine engine_;
};

/// Microseconds of CPU a packet; nothing when packets were lost.
template <typename Relay>
std::optional<double> measure(unsigned streams) {
    auto* const memory =
        ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    auto& shared = *new (memory) Shared{};
    const pid_t generator = ::fork();
    if (generator == 0) generate(shared, streams);
    while (!shared.ready) {
        if (::waitpid(generator, nullptr, WNOHANG) != 0) return std::nullopt;
        ::usleep(1000);
    }
    pin(0);
    double cost = 0, loss = 0;
    {
        Relay relay(shared, streams);
        shared.go = true;
        const auto rest = [](Duration d) { ::usleep(static_cast<useconds_t>(d / 1us)); };
        rest(warm_up);
        const std::uint64_t sent = shared.sent, received = shared.received;
        const double cpu = process_cpu();
        rest(measured);
        cost = (process_cpu() - cpu) * 1e6 / static_cast<double>(shared.received - received);
        rest(50ms);
        // What came in the window and just after it, against what was sent in it.
        loss = 1 - static_cast<double>(shared.received - received) /
                       static_cast<double>(shared.sent - sent);
        shared.stop = true;
        ::waitpid(generator, nullptr, 0);
    }
    ::munmap(memory, sizeof(Shared));
    if (loss > 0.005) {
        std::printf("    refused: %.2f %% lost\n", loss * 100);
        return std::nullopt;
    }
    return cost;
}

bool compare(unsigned streams) {
    std::vector<double> engine, bare;
    for (int round = 0; round < rounds; ++round) {
        const auto a = measure<EngineRelay>(streams);
        const auto b = measure<BareRelay>(streams);
        if (!a || !b) continue;
        engine.push_back(*a);
        bare.push_back(*b);
        std::printf("    engine %.2f us, bare loop %.2f us\n", *a, *b);
    }
    if (engine.empty()) return false;
    std::ranges::sort(engine);
    std::ranges::sort(bare);
    const std::size_t middle = engine.size() / 2;
    std::printf(
        "%u streams, %u kpps, us of CPU a packet: engine best %.2f median %.2f; "
        "bare loop best %.2f median %.2f; ratio of medians %.2f\n",
        streams, streams / 20, engine.front(), engine[middle], bare.front(), bare[middle],
        engine[middle] / bare[middle]);
    return true;
}

}  // namespace
}  // namespace strowger::bench

int main(int argc, char** argv) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    std::vector<unsigned> loads;
    for (int i = 1; i < argc; ++i) loads.push_back(static_cast<unsigned>(std::atoi(argv[i])));
    if (loads.empty()) loads = {400, 1200, 3000};
    bool good = true;
    for (const unsigned streams : loads)
        good =
            strowger::bench::compare(std::clamp(streams & ~1U, 2U, strowger::bench::max_streams)) &&
            good;
    return good ? 0 : 1;
}
