#include <cstdlib>

#include "wire/rtcp/reporter.hpp"

using namespace strowger;

/// A datagram, looked at through every view.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    for (const auto strictness : {rtcp::Strictness::compound, rtcp::Strictness::reduced}) {
        const auto compound = rtcp::Compound::parse({data, size}, strictness);
        if (!compound) continue;
        std::size_t total = 0;
        for (const auto& packet : *compound) {
            total += packet.bytes.size();
            (void)packet.ssrc();
            if (const auto report = rtcp::SenderReport::parse(packet)) {
                for (std::size_t i = 0; i < report->blocks.size(); ++i) (void)report->blocks[i];
            }
            if (auto sdes = rtcp::SourceDescription::parse(packet)) {
                while (sdes->next()) {}
            }
            if (const auto bye = rtcp::Bye::parse(packet)) {
                for (std::size_t i = 0; i < bye->count(); ++i) (void)bye->source(i);
            }
            (void)rtcp::App::parse(packet);
            if (const auto feedback = rtcp::Feedback::parse(packet)) {
                for (std::size_t i = 0; i < feedback->nack_count(); ++i) (void)feedback->nack(i);
                for (std::size_t i = 0; i < feedback->fir_count(); ++i) (void)feedback->fir(i);
                (void)feedback->remb_bitrate();
            }
        }
        if (total != size) std::abort();
        rtcp::Reporter reporter(0x01020304);
        reporter.receive(*compound, Time{}, 0x1234567812345678);
    }
    return 0;
}
