#include "echo/client.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "base/text.hpp"

namespace strowger::echo {

namespace {

double milliseconds(Duration duration) { return seconds(duration) * 1000; }

bool report_sound(const Call::Sound& sound, std::optional<Duration> round_trip, double max_loss) {
    const auto lost = sound.sent - std::min(sound.sent, sound.returned);
    const double loss =
        sound.sent == 0 ? 100 : 100.0 * static_cast<double>(lost) / static_cast<double>(sound.sent);
    fmt::print(
        "media: {} packets sent, {} came back unchanged, {} lost ({:.2f} %), {} changed, "
        "{} out of order, {} twice\n",
        sound.sent, sound.returned, lost, loss, sound.changed, sound.out_of_order,
        sound.duplicates);
    if (sound.returned > 0) {
        fmt::print("delay: {:.3f} ms on average, {:.3f} ms at most\n",
                   milliseconds(sound.delay_sum) / static_cast<double>(sound.returned),
                   milliseconds(sound.longest_delay));
    }
    if (round_trip) fmt::print("round trip by RTCP: {:.3f} ms\n", milliseconds(*round_trip));
    return sound.returned > 0 && sound.changed == 0 && loss <= max_loss;
}

Call::Plan plan_of(int test) {
    Call::Plan plan;
    if (test == 1) plan.kind = OfferKind::channel;
    if (test == 2) plan.kind = OfferKind::audio;
    plan.sound = test == 2;
    return plan;
}

}  // namespace

std::vector<std::string> split_arguments(const std::vector<std::string>& arguments) {
    std::vector<std::string> words;
    for (const auto& argument : arguments) {
        for (const auto word : split(argument, ' ')) {
            if (!trim(word).empty()) words.emplace_back(trim(word));
        }
    }
    return words;
}

bool run_client(const ClientOptions& options) {
    io::Loop loop;
    const Time begun = loop.now();
    const auto tell = [](const Error& error) {
        fmt::print(stderr, "strowger echo client: {}\n", error.text());
        return false;
    };
    auto caller = Caller::make(loop, options.caller);
    if (!caller) return tell(caller.error());
    std::optional<Error> error;
    auto made = (*caller)->call(plan_of(options.test), [&](const Error& e) { error = e; });
    if (!made) return tell(made.error());
    Call& call = **made;
    bool over = false;
    std::string reason;
    call.on_change = [&] {  // the call goes with its session; we keep what it says last
        if (call.ended()) reason = call.reason();
        over = over || call.ended();
    };
    const auto done = [&] {
        if (error || over) return true;
        if (options.test == 1) return call.text_returned();
        return options.test == 0 && call.connected();
    };
    const Duration limit = options.caller.limit;
    bool in_time = false;
    if (options.test < 2) {
        in_time = loop.run_until(done, limit);
    } else {
        in_time = loop.run_until([&] { return done() || call.connected(); }, limit);
    }
    bool passed = in_time && !error && !over;
    if (passed) {
        fmt::print("connected after {:.1f} ms\n", milliseconds(call.steps().connected - begun));
        if (options.test == 1) fmt::print("the channel's text came back\n");
    }
    if (passed && options.test == 2) {
        (void)loop.run_until(done, options.media_time);
        if (!over) {
            call.stop();
            (void)loop.run_until(done, std::chrono::milliseconds{300});
        }
        passed = !over && report_sound(call.sound(), call.round_trip(), options.max_loss);
    }
    (*caller)->hang_up();
    if (passed) return true;
    if (error) return tell(*error);
    if (over) return tell(Error(reason));
    return options.test == 2 && in_time
               ? false
               : tell(Error(fmt::format("not done within {:.0f} s", seconds(limit))));
}

}  // namespace strowger::echo
