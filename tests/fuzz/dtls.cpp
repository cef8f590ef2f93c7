#include <cstdlib>
#include <vector>

#include "wire/dtls/connection.hpp"

using namespace strowger;
using namespace strowger::dtls;

namespace {

const std::shared_ptr<const Identity>& identity() {
    static const auto made =
        Identity::make(Certificate::self_signed(Certificate::Key::ecdsa_p256, WallTime{})).value();
    return made;
}

void drain(Connection& connection) {
    std::size_t datagrams = 0;
    for (Bytes datagram; connection.poll(datagram);) {
        if (datagram.empty() || ++datagrams > 1000) std::abort();
    }
    for (Event event; connection.poll(event);) {
        if (std::get_if<Connected>(&event) != nullptr) std::abort();  // nobody has its key
    }
}

}  // namespace

/// Role and MTU, then datagrams after two bytes of length and one of time, in 10 ms, that has gone
/// by; and what a fingerprint and a setup may be.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    (void)Fingerprint::parse(as_text({data, size}));
    (void)setup_named(as_text({data, size}));
    (void)is_tls_id(as_text({data, size}));
    Connection::Config config;
    config.role = (data[0] & 1) != 0 ? Role::client : Role::server;
    config.mtu = 228 + data[1] * std::size_t{4};
    config.fingerprints = {identity()->fingerprint(Hash::sha_512)};
    Connection connection(identity(), config);
    Time now{};
    connection.start(now);
    Bytes rest{data + 2, size - 2};
    while (rest.size() > 3) {
        const std::size_t length = std::min<std::size_t>(load16(rest, 0), rest.size() - 3);
        now += std::chrono::milliseconds{10} * rest[2];
        const std::vector<std::uint8_t> datagram(
            rest.begin() + 3, rest.begin() + 3 + static_cast<std::ptrdiff_t>(length));
        rest = rest.subspan(3 + length);
        connection.tick(now);
        drain(connection);
        connection.receive(datagram, now);
        drain(connection);
    }
    // Whatever came: left alone it ends, and wants nothing more.
    for (int i = 0; i < 100 && connection.deadline() != Time::max(); ++i) {
        connection.tick(connection.deadline());
        drain(connection);
    }
    if (connection.deadline() != Time::max()) std::abort();
    return 0;
}
