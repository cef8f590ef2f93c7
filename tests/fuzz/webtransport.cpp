#include <algorithm>
#include <cstdlib>

#include "wire/webtransport/connection.hpp"

using namespace strowger;
using namespace strowger::webtransport;

namespace {

struct Owner {
    Connection connection;
    std::size_t open = 0;

    void drain() {
        Connection::Event event;
        while (connection.poll(event)) {
            if (const auto* wanted = std::get_if<Connection::Requested>(&event)) {
                if (wanted->path.size() % 2)
                    connection.accept(wanted->session);
                else
                    connection.refuse(wanted->session, 404);
            } else if (const auto* data = std::get_if<Connection::Data>(&event)) {
                connection.send(data->stream, data->bytes, data->fin);
            }
        }
        Connection::Action action;
        while (connection.poll(action)) {}
        if (connection.sessions() > Connection::max_sessions) std::abort();
    }
};

}  // namespace

/// A client's doings on one connection: each begins with a byte that says which and on which
/// stream, and one that says how many bytes follow.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Owner owner;
    owner.connection.start(3);
    Bytes left(data, size);
    while (left.size() >= 2) {
        const unsigned what = left[0] & 0x07;
        const StreamId stream = static_cast<StreamId>(left[0] >> 3) * 2;
        const auto count = std::min<std::size_t>(left[1], left.size() - 2);
        const auto bytes = left.subspan(2, count);
        left = left.subspan(2 + count);
        switch (what) {
            case 0:
            case 1: owner.connection.received(stream, bytes, what == 1); break;
            case 2:
                owner.connection.reset(stream, to_http3_code(left.empty() ? 0 : left[0]));
                break;
            case 3: owner.connection.stopped(stream, count); break;
            case 4: owner.connection.stream_closed(stream); break;
            case 5: owner.connection.datagram(bytes); break;
            case 6: owner.connection.close(stream, 1, as_text(bytes)); break;
            case 7: owner.connection.opened(stream, stream + 1); break;
        }
        owner.drain();
    }
    return 0;
}
