// What a two-leg call costs the media plane without its packets: publish, create, create_answer,
// connect and both removals; and what a call that stands costs in memory.

#include <sys/resource.h>

#include <cstring>
#include <fstream>

#include "media_owner.hpp"

namespace strowger::bench {
namespace {

std::size_t resident() {
    std::ifstream statm("/proc/self/statm");
    std::size_t total = 0, pages = 0;
    statm >> total >> pages;
    return pages * 4096;
}

void set_up(media::LocalEngine& engine, const std::string& call) {
    const media::Party a{call, "a"}, b{call, "b"};
    run(engine, engine.publish({a, phone_sdp("127.0.0.2", 4000), {}}));
    run(engine, engine.create({b, {.received_from = IpAddress::parse("127.0.0.3")}}));
    run(engine, engine.create_answer({b, phone_sdp("127.0.0.3", 4000)}));
    run(engine, engine.connect({a, b}));
}

void take_down(media::LocalEngine& engine, const std::string& call) {
    run(engine, engine.remove({{call, "a"}}));
    run(engine, engine.remove({{call, "b"}}));
}

}  // namespace
}  // namespace strowger::bench

int main() {
    using namespace strowger;
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);

    media::LocalEngine engine({.threads = 1, .first_port = 10000, .last_port = 29999});
    constexpr int standing = 1000, passing = 5000, rounds = 5;
    for (int i = 0; i < 100; ++i) {
        bench::set_up(engine, "warm");
        bench::take_down(engine, "warm");
    }
    const std::size_t before = bench::resident();
    for (int i = 0; i < standing; ++i) bench::set_up(engine, "call" + std::to_string(i));
    const std::size_t after = bench::resident();
    std::printf("memory: %.1f kB a call, %d standing\n",
                static_cast<double>(after - before) / standing / 1000, standing);
    for (int round = 0; round < rounds; ++round) {
        const double cpu = bench::process_cpu();
        for (int i = 0; i < passing; ++i) {
            bench::set_up(engine, "x");
            bench::take_down(engine, "x");
        }
        std::printf("set-up and removal: %.1f us of CPU a call\n",
                    (bench::process_cpu() - cpu) * 1e6 / passing);
    }
    return 0;
}
