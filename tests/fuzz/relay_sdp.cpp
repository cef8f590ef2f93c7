#include <cstdlib>

#include "base/bytes.hpp"
#include "io/clock.hpp"
#include "relay/relay.hpp"
#include "wire/ng/writer.hpp"
#include "wire/sdp/session.hpp"

using namespace strowger;

namespace {

relay::Relay& the_relay() {
    static relay::Relay* relay = [] {
        log::set_level(log::Level::off);
        relay::Settings settings;
        settings.threads = 1;
        settings.interfaces = {*relay::InterfaceSpec::parse("127.0.0.1")};
        auto random = Random::system();
        auto interfaces = relay::Interfaces::make(settings.interfaces, 30000, 30400, {}, random);
        return new relay::Relay(settings, std::move(*interfaces),
                                {io::monotonic_now, io::wall_now});
    }();
    return *relay;
}

std::string ask(std::string_view command, std::string_view sdp, std::string_view flags) {
    ng::Writer out(ng::Encoding::bencode);
    out.dictionary().pair("command", command).pair("call-id", "c").pair("from-tag", "f");
    if (command == "answer") out.pair("to-tag", "t");
    out.pair("sdp", sdp).pair("rtpp-flags", flags).end();
    const auto reply = the_relay().handle(out.take());
    const auto document = ng::Document::parse(reply);
    if (!document) std::abort();
    return std::string(document->text_of("sdp"));
}

}  // namespace

/// The first line is flags in one string, the rest an offer, which is answered by what comes out:
/// every description that the relay writes can be read, and has as many sections as the one that
/// came.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text({data, size});
    const auto end = std::min(text.find('\n'), text.size());
    const auto flags = text.substr(0, end);
    const auto sdp = text.substr(std::min(end + 1, text.size()));
    const auto offered = ask("offer", sdp, flags);
    if (!offered.empty() && offered != sdp) {
        const auto before = sdp::Session::parse(sdp);
        const auto after = sdp::Session::parse(offered);
        if (!before || !after || after->media.size() > before->media.size()) std::abort();
        (void)ask("answer", offered, flags);
        (void)ask("offer", sdp, flags);
    }
    the_relay().end_all();
    the_relay().engine().dispatch();
    return 0;
}
