// What a festival server answers, in pieces as the first byte says.

#include "pbx/festival_reply.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger;
    if (size == 0) return 0;
    const std::size_t piece = data[0] + std::size_t{1};
    const Bytes all{data + 1, size - 1};
    pbx::FestivalReply pieces, whole;
    auto state = pbx::FestivalReply::State::open;
    for (Bytes rest = all; !rest.empty(); rest = rest.subspan(std::min(piece, rest.size())))
        state = pieces.feed(rest.first(std::min(piece, rest.size())));
    if (whole.feed(all) != state || whole.waveform() != pieces.waveform()) std::abort();
    return 0;
}
