#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strowger::metrics {

/// Figures about the running program, as Prometheus reads them. A handle is obtained once, where
/// its owner is made, and lives as long as the registry; bumping it is one relaxed atomic
/// operation.

using Labels = std::vector<std::pair<std::string, std::string>>;

class Counter {
public:
    void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

class Gauge {
public:
    void set(double value) { value_.store(value, std::memory_order_relaxed); }
    void add(double n) { value_.fetch_add(n, std::memory_order_relaxed); }
    double value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<double> value_{0};
};

class Histogram {
public:
    /// `bounds` are upper limits, rising; a last one of infinity is implied.
    explicit Histogram(std::vector<double> bounds);
    void observe(double value);
    std::uint64_t count() const;
    double sum() const { return sum_.load(std::memory_order_relaxed); }
    const std::vector<double>& bounds() const { return bounds_; }
    std::uint64_t bucket(std::size_t index) const {  ///< not cumulative; bounds().size(): the rest
        return buckets_[index].load(std::memory_order_relaxed);
    }

private:
    std::vector<double> bounds_;
    std::unique_ptr<std::atomic<std::uint64_t>[]> buckets_;
    std::atomic<double> sum_{0};
};

/// Buckets for durations in seconds: 100 us to 10 s.
std::vector<double> duration_bounds();

class Registry {
public:
    /// Series of one name. Labels often come from outside (methods, codes, peers); beyond this all
    /// further ones share one series whose label values are "other".
    static constexpr std::size_t max_series = 1000;

    Registry();
    ~Registry();

    /// The same name and labels give the same handle. A name is of one kind: asked for as another,
    /// std::logic_error. Names and label names are [a-zA-Z_][a-zA-Z0-9_]*. Thread-safe.
    Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
    Histogram& histogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                         const Labels& labels = {});

    /// The exposition page, text/plain; version=0.0.4.
    std::string text() const;

    /// The one of the process.
    static Registry& global();

private:
    struct Family;
    Family& family(std::string_view name, std::string_view help, std::string_view kind);

    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<Family>> families_;  // by name
};

constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace strowger::metrics
