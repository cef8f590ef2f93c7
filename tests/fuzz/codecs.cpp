// Packets of any codec with any numbers and times, to samples and into another codec: six bytes say
// what a packet is, and how many of those that follow are in it.

#include <cstdlib>

#include "media/packer.hpp"
#include "media/unpacker.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger;
    if (size < 3) return 0;
    const auto codec = [](std::uint8_t which) {
        const auto& listed = codec::all()[which % codec::all().size()];
        return sdp::Codec{std::string(listed.name), listed.clock_rate, listed.channels,
                          which & 0x80 ? "octet-align=1" : ""};
    };
    const auto from = codec(data[0]), to = codec(data[1]);
    const auto unpacker = media::Unpacker::make(from, codec::native_rate(to));
    if (!unpacker) return 0;  // its library is not installed
    const auto packer = media::Packer::make(to, unpacker->rate(), data[2] % 100);
    Bytes rest{data + 3, size - 3};
    while (rest.size() >= 6) {
        const auto count = std::min<std::size_t>(rest[5] * std::size_t{4}, rest.size() - 6);
        const auto sound = unpacker->put(rest[0] & 1, load16(rest, 1), load16(rest, 3) * 40U,
                                         rest.subspan(6, count));
        rest = rest.subspan(6 + count);
        if (!sound) continue;
        (void)unpacker->narrow();
        if (!packer) continue;  // what is only heard
        packer->put(sound->rate, sound->position, sound->samples);
        while (const auto packet = packer->poll())
            if (packet->payload.empty() || packet->duration == 0) std::abort();
    }
    return 0;
}
