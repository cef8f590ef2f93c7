#include <cstdlib>

#include "base/bytes.hpp"
#include "io/clock.hpp"
#include "relay/relay.hpp"

using namespace strowger;

namespace {

relay::Relay& the_relay() {
    static relay::Relay* relay = [] {
        log::set_level(log::Level::off);
        relay::Settings settings;
        settings.threads = 2;
        settings.delete_delay = Duration{};
        settings.interfaces = {*relay::InterfaceSpec::parse("127.0.0.1"),
                               *relay::InterfaceSpec::parse("other/127.0.0.2!192.0.2.1")};
        auto random = Random::system();
        auto interfaces = relay::Interfaces::make(settings.interfaces, 30000, 30400, {}, random);
        return new relay::Relay(settings, std::move(*interfaces),
                                {io::monotonic_now, io::wall_now});
    }();
    return *relay;
}

}  // namespace

/// Messages of the NG protocol, one after the other, with a 0xff between: each gets a reply that
/// can be read, in its own encoding.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto rest = as_text({data, size});
    for (int i = 0; i < 16 && !rest.empty(); ++i) {
        const auto end = std::min(rest.find('\xff'), rest.size());
        const auto message = rest.substr(0, end);
        rest = rest.substr(std::min(end + 1, rest.size()));
        const auto reply = the_relay().handle(message);
        const auto document = ng::Document::parse(reply);
        if (!document || document->text_of("result").empty()) std::abort();
        if (message.starts_with('{') != reply.starts_with('{')) std::abort();
    }
    the_relay().end_all();
    the_relay().engine().dispatch();
    return 0;
}
