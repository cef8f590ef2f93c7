#include "base/metrics.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace strowger::metrics {
namespace {

TEST(Metrics, WritesTheExpositionFormat) {
    Registry registry;
    registry.counter("sip_requests_total", "Requests that came.", {{"method", "INVITE"}}).add(3);
    registry.counter("sip_requests_total", "", {{"method", "a\"b\\c\nd"}}).add();
    registry.gauge("calls", "Calls\nnow.").set(2.5);
    auto& time = registry.histogram("setup_seconds", "Set-up time.", {0.1, 1});
    time.observe(0.1);  // a bound belongs to its bucket
    time.observe(0.5);
    time.observe(7);
    EXPECT_EQ(registry.text(),
              "# HELP calls Calls\\nnow.\n"
              "# TYPE calls gauge\n"
              "calls 2.5\n"
              "# HELP setup_seconds Set-up time.\n"
              "# TYPE setup_seconds histogram\n"
              "setup_seconds_bucket{le=\"0.1\"} 1\n"
              "setup_seconds_bucket{le=\"1\"} 2\n"
              "setup_seconds_bucket{le=\"+Inf\"} 3\n"
              "setup_seconds_sum 7.6\n"
              "setup_seconds_count 3\n"
              "# HELP sip_requests_total Requests that came.\n"
              "# TYPE sip_requests_total counter\n"
              "sip_requests_total{method=\"INVITE\"} 3\n"
              "sip_requests_total{method=\"a\\\"b\\\\c\\nd\"} 1\n");
}

TEST(Metrics, TheSameLabelsGiveTheSameHandle) {
    Registry registry;
    auto& one = registry.counter("a", "", {{"x", "1"}});
    EXPECT_EQ(&one, &registry.counter("a", "", {{"x", "1"}}));
    EXPECT_NE(&one, &registry.counter("a", "", {{"x", "2"}}));
    EXPECT_THROW(registry.gauge("a", ""), std::logic_error);
    EXPECT_THROW(registry.gauge("1a", ""), std::logic_error);
    EXPECT_THROW(registry.gauge("b", "", {{"x-y", ""}}), std::logic_error);
}

TEST(Metrics, LabelsFromOutsideCannotGrowWithoutBound) {
    Registry registry;
    for (int i = 0; i < 5000; ++i)
        registry.counter("peers", "", {{"peer", std::to_string(i)}}).add();
    const auto text = registry.text();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2 + Registry::max_series + 1);
    EXPECT_NE(text.find("peers{peer=\"other\"} 4000\n"), std::string::npos);
}

TEST(Metrics, CountsFromManyThreads) {
    Registry registry;
    auto& counter = registry.counter("n", "");
    auto& gauge = registry.gauge("g", "");
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 10000; ++i) {
                counter.add();
                gauge.add(1);
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(counter.value(), 40000u);
    EXPECT_EQ(gauge.value(), 40000.0);
}

}  // namespace
}  // namespace strowger::metrics
