#include "echo/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace strowger::echo {

namespace {

double milliseconds(Duration duration) { return seconds(duration) * 1000; }

/// Of sorted values.
double percentile(const std::vector<double>& values, double part) {
    if (values.empty()) return 0;
    const auto place = static_cast<std::size_t>(part * static_cast<double>(values.size() - 1));
    return values[place];
}

class Load {
public:
    Load(io::Loop& loop, Caller& caller, const LoadOptions& options)
        : loop_(loop), caller_(caller), options_(options) {}

    bool run() {
        connect_all();
        const auto before = totals();
        const Time begun = loop_.now();
        (void)loop_.run_until([&] { return ended_ > 0; }, options_.time);
        const auto after = totals();
        const double took = seconds(loop_.now() - begun);
        for (auto& one : calls_) {
            if (one.call) one.call->stop();
        }
        (void)loop_.run_until([] { return false; }, std::chrono::milliseconds{500});
        report(took, static_cast<double>(after.message_bytes - before.message_bytes));
        for (auto& one : calls_) {
            if (one.call) one.call->on_change = nullptr;  // their ends are not news any more
        }
        return passed_;
    }

private:
    struct One {
        Call* call = nullptr;  ///< null when it has ended
        Time begun{};
        bool connected = false;
        double connect_ms = 0;
    };
    struct Totals {
        std::uint64_t sent = 0, returned = 0, changed = 0, out_of_order = 0;
        std::uint64_t messages = 0, message_bytes = 0;
        Duration delay_sum{}, longest{};
        std::vector<double> message_ms;
    };

    void connect_all() {
        calls_.resize(options_.sessions);
        const auto settled = [&] { return connected_ + failed_ >= options_.sessions; };
        (void)loop_.run_until(
            [&] {
                while (begun_ < options_.sessions &&
                       begun_ - connected_ - failed_ < options_.at_once) {
                    begin(begun_++);
                }
                return settled();
            },
            options_.caller.limit +
                std::chrono::milliseconds{100} * static_cast<int>(options_.sessions));
    }

    void begin(std::size_t index) {
        Call::Plan plan;
        plan.kind = options_.message_size > 0 ? OfferKind::channel : OfferKind::audio;
        plan.sound = options_.message_size == 0 && !options_.silent;
        plan.message_size = options_.message_size;
        plan.in_flight = options_.in_flight;
        calls_[index].begun = loop_.now();
        auto made = caller_.call(plan, [this](const Error& error) { fail(error.text()); });
        if (!made) return fail(made.error().text());
        calls_[index].call = *made;
        (*made)->on_change = [this, index] { changed(calls_[index]); };
    }

    void fail(const std::string& why) {
        if (failed_++ == 0) fmt::print(stderr, "strowger echo load: {}\n", why);
    }

    void changed(One& one) {
        if (one.call->connected() && !one.connected) {
            one.connected = true;
            one.connect_ms = milliseconds(one.call->steps().connected - one.begun);
            ++connected_;
        }
        if (!one.call->ended()) return;
        if (one.connected) {
            ++ended_;
        } else {
            fail(one.call->reason());
        }
        one.call = nullptr;  // it goes with its session
    }

    Totals totals() const {
        Totals sum;
        for (const auto& one : calls_) {
            if (!one.call) continue;
            const auto& sound = one.call->sound();
            sum.sent += sound.sent;
            sum.returned += sound.returned;
            sum.changed += sound.changed + one.call->messages().changed;
            sum.out_of_order += sound.out_of_order;
            sum.delay_sum += sound.delay_sum;
            sum.longest = std::max(sum.longest, sound.longest_delay);
            sum.messages += one.call->messages().returned;
            sum.message_bytes += one.call->messages().bytes;
            for (const auto delay : one.call->messages().delays) {
                sum.message_ms.push_back(milliseconds(delay));
            }
        }
        std::ranges::sort(sum.message_ms);
        return sum;
    }

    void report(double took, double message_bytes) {
        const auto sum = totals();
        std::vector<double> connect;
        for (const auto& one : calls_) {
            if (one.connected) connect.push_back(one.connect_ms);
        }
        std::ranges::sort(connect);
        const auto rounded = [](double value) { return std::round(value * 1000) / 1000; };
        nlohmann::ordered_json json{
            {"sessions", options_.sessions},
            {"connected", connected_},
            {"failed", failed_},
            {"ended", ended_},
            {"connect_ms_p50", rounded(percentile(connect, 0.5))},
            {"connect_ms_p95", rounded(percentile(connect, 0.95))},
            {"changed", sum.changed},
        };
        if (options_.message_size > 0) {
            json["messages"] = sum.messages;
            json["message_mb_per_s"] = rounded(message_bytes / took / 1e6);
            json["message_ms_p50"] = rounded(percentile(sum.message_ms, 0.5));
            json["message_ms_p99"] = rounded(percentile(sum.message_ms, 0.99));
        } else if (!options_.silent) {
            json["packets_sent"] = sum.sent;
            json["packets_lost"] = sum.sent - std::min(sum.sent, sum.returned);
            json["out_of_order"] = sum.out_of_order;
            json["delay_ms_mean"] = rounded(
                sum.returned ? milliseconds(sum.delay_sum) / static_cast<double>(sum.returned) : 0);
            json["delay_ms_max"] = rounded(milliseconds(sum.longest));
        }
        fmt::print("{}\n", json.dump());
        passed_ = failed_ == 0 && ended_ == 0 && connected_ == options_.sessions &&
                  sum.changed == 0 && sum.sent == sum.returned;
    }

    io::Loop& loop_;
    Caller& caller_;
    const LoadOptions& options_;
    std::vector<One> calls_;
    std::size_t begun_ = 0, connected_ = 0, failed_ = 0, ended_ = 0;
    bool passed_ = false;
};

}  // namespace

bool run_load(const LoadOptions& options) {
    io::Loop loop;
    auto caller_options = options.caller;
    caller_options.max_calls = options.sessions;
    auto caller = Caller::make(loop, caller_options);
    if (!caller) {
        fmt::print(stderr, "strowger echo load: {}\n", caller.error().text());
        return false;
    }
    const bool passed = Load(loop, **caller, options).run();
    (*caller)->hang_up();
    return passed;
}

}  // namespace strowger::echo
