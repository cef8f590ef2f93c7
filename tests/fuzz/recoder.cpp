// Packets of a hostile party through a recoder of any pair of codecs, with keys both ways, and
// RTCP through what it has learnt: six bytes choose the plan, two say how long what follows is.

#include "media/recoder.hpp"

#include <array>
#include <cstdlib>

#include "media/codec/codec.hpp"

namespace {

using namespace strowger;
using Kind = media::Recoder::Way::Kind;

sdp::Codec chosen(std::uint8_t which) {
    const auto& listed = codec::all()[which % codec::all().size()];
    return {std::string(listed.name), listed.clock_rate, listed.channels,
            which & 0x80 ? "octet-align=1" : ""};
}

struct Out final : media::Recoder::Out {
    MutableBytes room() override { return buffer; }
    void put(std::size_t size) override {
        if (size < rtp::header_size || size > buffer.size()) std::abort();
        if (!rtp::Packet::parse(Bytes(buffer).first(size))) std::abort();
    }
    std::array<std::uint8_t, 1888> buffer{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 6) return 0;
    const auto clock = [](bool wide) { return wide ? 48000U : 8000U; };
    const sdp::Payload keys_in{101, {"telephone-event", clock(data[3] & 1), 1, {}}};
    const sdp::Payload keys_out{102, {"telephone-event", clock(data[3] & 2), 1, {}}};
    media::Recoder::Plan plan{
        .ways = {{{96, chosen(data[0])}, Kind::recode, 98},
                 {{97, chosen(data[1])}, Kind::recode, 98},
                 {keys_in, data[3] & 4 ? Kind::tone : Kind::event, 102},
                 {{13, {"CN", 8000, 1, {}}}, Kind::noise, 0},
                 {{8, {"PCMA", 8000, 1, {}}}, data[3] & 8 ? Kind::translate : Kind::pass, 0}},
        .out = {98, chosen(data[2])},
        .packet_ms = 10U + data[4] % 51,
        .own = (data[3] & 16) != 0};
    if (data[3] & 32) {
        plan.event = keys_out;
        plan.detects = true;
    } else if (!(data[3] & 4)) {
        plan.event = keys_out;
    }
    if (data[5] & 1) plan.noise = {99, {"CN", 8000, 1, {}}};
    plan.pauses.silent_below = data[5];
    plan.pauses.delay = std::chrono::milliseconds{data[5] & 2 ? 30 : 0};
    plan.pauses.longest = std::chrono::milliseconds{200};
    using Mode = media::Recoder::Keys::Mode;
    plan.keys = {.mode = static_cast<Mode>(data[4] / 51 % (int(Mode::event) + 1)),
                 .event = 11,
                 .delay = std::chrono::milliseconds{data[5] & 4 ? 100 : 0}};
    Random random(data[5]);
    media::Recoder recoder(plan, random);
    Out out;
    Time now{};
    std::array<std::uint8_t, 1024> packet;
    for (Bytes rest{data + 6, size - 6}; rest.size() >= 2;) {
        const auto length = std::min<std::size_t>(load16(rest, 0) % packet.size(), rest.size() - 2);
        std::ranges::copy(rest.subspan(2, length), packet.begin());
        rest = rest.subspan(2 + length);
        now += std::chrono::milliseconds{20};
        if (length == 0)
            recoder.tick(now, out);
        else if (rtp::kind_of(Bytes(packet).first(length)) == rtp::Kind::rtcp)
            media::Recoder::rewrite_rtcp(MutableBytes(packet).first(length), &recoder.figures(),
                                         &recoder.figures());
        else
            recoder.take(Bytes(packet).first(length), now, out);
    }
    return 0;
}
