#include <cstdlib>
#include <vector>

#include "wire/rtp/receiver_statistics.hpp"
#include "wire/rtp/rewriter.hpp"
#include "wire/rtp/telephone_event.hpp"

using namespace strowger;

/// A run of packets, each after two bytes of length and one of time, through everything that reads.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    rtp::ReceiverStatistics statistics;
    rtp::EventReceiver events;
    rtp::Rewriter rewriter(1, 2, 3);
    Time now{};
    Bytes rest{data, size};
    while (rest.size() > 3) {
        const std::size_t length = std::min<std::size_t>(load16(rest, 0), rest.size() - 3);
        now += std::chrono::milliseconds{rest[2]};
        std::vector<std::uint8_t> bytes(rest.begin() + 3,
                                        rest.begin() + 3 + static_cast<std::ptrdiff_t>(length));
        rest = rest.subspan(3 + length);
        (void)rtp::kind_of(bytes);
        const auto packet = rtp::Packet::parse(bytes);
        if (!packet) continue;
        if (packet->payload().size() + packet->padding() + rtp::header_size > bytes.size())
            std::abort();
        for (std::size_t i = 0; i < packet->csrc_count(); ++i) (void)packet->csrc(i);
        for (unsigned id = 0; id < 256; ++id) {
            (void)packet->extension_element(static_cast<std::uint8_t>(id));
        }
        statistics.receive(packet->header(), packet->payload().size(), now);
        if (statistics.packets() > statistics.expected()) std::abort();
        (void)statistics.take_fraction_lost();
        (void)statistics.burst_ratio();
        events.receive(packet->header(), packet->payload(), now);
        events.tick(now);
        for (rtp::KeyEvent key; events.poll(key);) {
            if (key.digit == 0) std::abort();
        }
        if (rewriter.forward(MutableBytes(bytes), now) && !rtp::Packet::parse(bytes)) std::abort();
    }
    return 0;
}
