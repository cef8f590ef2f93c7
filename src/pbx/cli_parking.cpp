#include <fmt/format.h>

#include "pbx/channel.hpp"
#include "pbx/cli.hpp"
#include "pbx/exchange.hpp"

namespace strowger::pbx {

namespace {

std::string show(Exchange& exchange, const std::string& lot) {
    std::string text =
        fmt::format("{:12} {:>6} {:>8} {:32} {}\n", "Lot", "Space", "Seconds", "Channel", "Parker");
    for (const auto& [space, parked] : exchange.core().parking.all()) {
        if (!lot.empty() && lot != space.first) continue;
        const auto channel = parked->channel.lock();
        text += fmt::format("{:12} {:6} {:8.0f} {:32} {}\n", space.first, space.second,
                            seconds(exchange.core().now() - parked->since),
                            channel ? channel->name() : "", parked->parker);
    }
    return text;
}

}  // namespace

void add_parking_commands(Cli& cli, Exchange& exchange) {
    cli.add({"parking show", "[LOT]", "Calls that are parked, and where",
             [&exchange](const std::vector<std::string>& arguments) -> Result<std::string> {
                 return show(exchange, arguments.empty() ? std::string() : arguments.front());
             }});
}

}  // namespace strowger::pbx
