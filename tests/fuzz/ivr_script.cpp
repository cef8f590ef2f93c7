// What a program of ExternalIVR says, in pieces as the first byte says; the rest of the target
// reads the same as what a dialplan asks for.

#include "pbx/ivr_script.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger;
    if (size == 0) return 0;
    const std::size_t piece = data[0] + std::size_t{1};
    Bytes rest{data + 1, size - 1};
    (void)pbx::parse_ivr_target(as_text(rest));
    pbx::IvrReader reader;
    while (!rest.empty()) {
        const auto part = rest.first(std::min(piece, rest.size()));
        rest = rest.subspan(part.size());
        if (!reader.feed(part)) break;
        while (const auto command = reader.next()) {
            const auto event = pbx::ivr_event("G", WallTime{}, command->data);
            if (std::ranges::count(event, '\n') != 1) std::abort();
        }
    }
    return 0;
}
