// What a client sends on a WebSocket, in pieces as the first byte says. However it is cut, the
// reader must tell the same.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/utf8.hpp"
#include "wire/websocket/reader.hpp"

namespace {

constexpr std::size_t max_message = 4096;

std::string told(strowger::Bytes rest, std::size_t piece) {
    using namespace strowger;
    websocket::Reader reader(max_message);
    std::string text;
    while (!rest.empty()) {
        Bytes part = rest.first(std::min(piece, rest.size()));
        rest = rest.subspan(part.size());
        for (;;) {
            const auto got = reader.next(part);
            if (!got) return text + got.error().text();
            if (!*got) break;
            const auto& event = **got;
            if (event.payload.size() > max_message) std::abort();
            if (event.text && !is_utf8(as_text(event.payload))) std::abort();
            text += fmt::format("{} {} {} {}\n", static_cast<int>(event.kind), event.text,
                                event.code, event.payload.size());
            text += as_text(event.payload);
        }
        if (!part.empty()) std::abort();  // it takes all there is before it wants more
    }
    return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const strowger::Bytes bytes(data + 1, size - 1);
    if (told(bytes, data[0] + std::size_t{1}) != told(bytes, size)) std::abort();
    return 0;
}
