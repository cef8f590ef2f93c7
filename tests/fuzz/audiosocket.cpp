// A program's bytes on an AudioSocket, in pieces as the first byte says; the second half of the
// target reads the same as an id.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "wire/audiosocket/frame.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger;
    if (size == 0) return 0;
    const std::size_t piece = data[0] + std::size_t{1};
    Bytes rest{data + 1, size - 1};
    (void)audiosocket::parse_id(as_text(rest));
    audiosocket::Reader reader;
    std::size_t told = 0;
    while (!rest.empty()) {
        const auto part = rest.first(std::min(piece, rest.size()));
        rest = rest.subspan(part.size());
        reader.feed(part);
        while (const auto frame = reader.next()) {
            told += audiosocket::header_size + frame->payload.size();
            if (audiosocket::samples_of(*frame).size() != frame->payload.size() / 2) std::abort();
        }
    }
    if (told > size - 1) std::abort();  // nothing is told twice
    return 0;
}
