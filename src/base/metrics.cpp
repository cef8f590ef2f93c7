#include "base/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <iterator>
#include <stdexcept>

namespace strowger::metrics {

namespace {

bool is_name(std::string_view text) {
    const auto letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    };
    return !text.empty() && letter(text.front()) &&
           std::all_of(text.begin(), text.end(),
                       [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

// Exposition format: backslash, line feed and, in label values, the quote are escaped.
std::string escape(std::string_view text, bool quote) {
    std::string out;
    for (const char c : text) {
        if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else if (c == '"' && quote)
            out += "\\\"";
        else
            out += c;
    }
    return out;
}

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return fmt::format("{}", value);
}

std::string braces(const std::string& labels, std::string_view extra = {}) {
    if (labels.empty() && extra.empty()) return {};
    return fmt::format("{{{}{}{}}}", labels, labels.empty() || extra.empty() ? "" : ",", extra);
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)),
      buckets_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds_.size() + 1)) {
    if (!std::is_sorted(bounds_.begin(), bounds_.end()))
        throw std::logic_error("histogram bounds must rise");
}

void Histogram::observe(double value) {
    const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
    buckets_[static_cast<std::size_t>(at)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
}

std::uint64_t Histogram::count() const {
    std::uint64_t total = 0;
    for (std::size_t i = 0; i <= bounds_.size(); ++i) total += bucket(i);
    return total;
}

std::vector<double> duration_bounds() {
    return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
            0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
}

struct Registry::Family {
    struct Series {
        std::string labels;  // "code=\"200\",method=\"INVITE\""
        std::unique_ptr<Counter> counter;
        std::unique_ptr<Gauge> gauge;
        std::unique_ptr<Histogram> histogram;
    };

    std::string name, help, kind;
    std::deque<Series> series;

    Series& find(const Labels& labels) {
        const auto written = write(labels, false);
        for (auto& one : series)
            if (one.labels == written) return one;
        if (series.size() < max_series) return series.emplace_back(Series{written, {}, {}, {}});
        const auto other = write(labels, true);
        for (auto& one : series)
            if (one.labels == other) return one;
        return series.emplace_back(Series{other, {}, {}, {}});
    }

    static std::string write(const Labels& labels, bool other) {
        std::string text;
        for (const auto& [key, value] : labels) {
            if (!is_name(key)) throw std::logic_error("'" + key + "' is no label name");
            if (!text.empty()) text += ',';
            text += key + "=\"" + (other ? "other" : escape(value, true)) + '"';
        }
        return text;
    }
};

Registry::Registry() = default;
Registry::~Registry() = default;

Registry& Registry::global() {
    static Registry registry;
    return registry;
}

Registry::Family& Registry::family(std::string_view name, std::string_view help,
                                   std::string_view kind) {
    const auto place = std::lower_bound(families_.begin(), families_.end(), name,
                                        [](const auto& f, auto n) { return f->name < n; });
    if (place != families_.end() && (*place)->name == name) {
        if ((*place)->kind != kind)
            throw std::logic_error(
                fmt::format("metric {} is a {}, not a {}", name, (*place)->kind, kind));
        return **place;
    }
    if (!is_name(name)) throw std::logic_error(fmt::format("'{}' is no metric name", name));
    auto made = std::make_unique<Family>();
    made->name = name;
    made->help = help;
    made->kind = kind;
    return **families_.insert(place, std::move(made));
}

Counter& Registry::counter(std::string_view name, std::string_view help, const Labels& labels) {
    const std::lock_guard lock(mutex_);
    auto& series = family(name, help, "counter").find(labels);
    if (!series.counter) series.counter = std::make_unique<Counter>();
    return *series.counter;
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, const Labels& labels) {
    const std::lock_guard lock(mutex_);
    auto& series = family(name, help, "gauge").find(labels);
    if (!series.gauge) series.gauge = std::make_unique<Gauge>();
    return *series.gauge;
}

Histogram& Registry::histogram(std::string_view name, std::string_view help,
                               std::vector<double> bounds, const Labels& labels) {
    const std::lock_guard lock(mutex_);
    auto& series = family(name, help, "histogram").find(labels);
    if (!series.histogram) series.histogram = std::make_unique<Histogram>(std::move(bounds));
    return *series.histogram;
}

std::string Registry::text() const {
    const std::lock_guard lock(mutex_);
    std::string page;
    const auto line = [&page](std::string_view name, std::string_view suffix,
                              const std::string& labels, const std::string& value) {
        fmt::format_to(std::back_inserter(page), "{}{}{} {}\n", name, suffix, labels, value);
    };
    for (const auto& f : families_) {
        fmt::format_to(std::back_inserter(page), "# HELP {} {}\n# TYPE {} {}\n", f->name,
                       escape(f->help, false), f->name, f->kind);
        for (const auto& one : f->series) {
            if (one.counter)
                line(f->name, "", braces(one.labels), fmt::to_string(one.counter->value()));
            if (one.gauge) line(f->name, "", braces(one.labels), number(one.gauge->value()));
            if (!one.histogram) continue;
            const auto& bounds = one.histogram->bounds();
            std::uint64_t total = 0;
            for (std::size_t i = 0; i <= bounds.size(); ++i) {
                total += one.histogram->bucket(i);
                const auto limit = i < bounds.size() ? number(bounds[i]) : "+Inf";
                line(f->name, "_bucket", braces(one.labels, fmt::format("le=\"{}\"", limit)),
                     fmt::to_string(total));
            }
            line(f->name, "_sum", braces(one.labels), number(one.histogram->sum()));
            line(f->name, "_count", braces(one.labels), fmt::to_string(total));
        }
    }
    return page;
}

}  // namespace strowger::metrics
