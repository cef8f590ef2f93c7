#include "pbx/app_statsd.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "pbx/channel.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/prompt.hpp"
#include "pbx/statsd.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

// StatsD(type,name,value[,sample]): of a rate below 1 only so many of the calls are sent.
AppResult send(Call& call, std::string_view args, Statsd& statsd) {
    auto& channel = static_cast<Channel&>(call);
    auto& core = channel.core();
    const auto arguments = dialplan::split_arguments(args);
    const auto at = [&](std::size_t i) { return trim(argument(arguments, i)); };
    const auto rate = at(3).empty() ? 1.0 : parse_number<double>(at(3));
    if (!rate) {
        channel.report(log::Level::warning, fmt::format("StatsD: '{}' is no rate", at(3)));
        return AppResult::proceed;
    }
    const auto line = statsd_line(at(0), at(1), at(2), *rate);
    if (!line)
        channel.report(log::Level::warning, fmt::format("StatsD: {}", line.error().text()));
    else if (*rate >= 1 || core.random.between(0, 1) < *rate)
        statsd.send(core.loop, core.config, *line);
    return AppResult::proceed;
}

}  // namespace

void add_statsd_application(dialplan::Applications& applications) {
    // Shared, because applications are copied and what they do is one sender.
    const auto statsd = std::make_shared<Statsd>();
    applications.add_quick(
        "StatsD", "Send a number to a StatsD server: StatsD(g|c|ms|s,name,value[,sample_rate])",
        [statsd](Call& call, std::string_view args) { return send(call, args, *statsd); });
}

}  // namespace strowger::pbx
