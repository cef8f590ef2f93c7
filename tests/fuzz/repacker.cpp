// A phone's packets of G.711 with any numbers, times and lengths: five bytes say each.

#include "media/repacker.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger;
    if (size == 0) return 0;
    static constexpr std::array<std::uint8_t, 1024> sound{};
    media::Repacker repacker;
    repacker.set_length(data[0] * std::size_t{2});
    std::size_t in = 0, out = 0;
    for (Bytes rest{data + 1, size - 1}; rest.size() >= 5; rest = rest.subspan(5)) {
        const std::size_t length = rest[4] * std::size_t{4};
        if (length == 0) {
            repacker.flush();
            (void)repacker.next_sequence(load16(rest, 0));
        } else if (repacker.put(load16(rest, 0), load16(rest, 2) * 80U,
                                Bytes(sound).first(length))) {
            in += length;
        }
        media::Repacker::Packet packet;
        while (repacker.poll(packet)) {
            if (packet.codes.empty() || packet.codes.size() > repacker.length()) std::abort();
            out += packet.codes.size();
        }
    }
    if (out > in) std::abort();
    return 0;
}
