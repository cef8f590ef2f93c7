#include "recorder/decoder.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "media/codec/codec.hpp"
#include "media/plc.hpp"

namespace strowger::recorder {
namespace {

class G711 final : public Decoder {
public:
    explicit G711(media::g711::Law law) : law_(law) {}
    std::uint32_t rate() const override { return 8000; }
    std::uint32_t clock() const override { return 8000; }
    std::unique_ptr<Decoder> twin() const override { return std::make_unique<G711>(law_); }
    void decode(Bytes payload, std::vector<Sample>& out) override {
        const auto at = out.size();
        out.resize(at + payload.size());
        media::g711::decode(law_, payload, std::span(out).subspan(at));
        plc_.received(std::span(out).subspan(at));
    }
    void conceal(std::size_t count, std::vector<Sample>& out) override {
        const auto at = out.size();
        out.resize(at + count);
        plc_.conceal(std::span(out).subspan(at));
    }

private:
    media::g711::Law law_;
    media::Plc plc_;
};

/// Whatever else calls are transcoded from.
class Coded final : public Decoder {
public:
    Coded(sdp::Codec codec, std::unique_ptr<codec::Decoder> decoder)
        : codec_(std::move(codec)), decoder_(std::move(decoder)) {}
    std::uint32_t rate() const override { return decoder_->rate(); }
    std::uint32_t clock() const override { return codec_.clock_rate; }
    std::unique_ptr<Decoder> twin() const override {
        return std::make_unique<Coded>(codec_, codec::make_decoder(codec_, decoder_->rate()));
    }
    void decode(Bytes payload, std::vector<Sample>& out) override {
        const auto at = out.size();
        out.resize(at + codec::max_packet_samples);
        out.resize(at + decoder_->decode(payload, std::span(out).subspan(at)));
    }
    void conceal(std::size_t count, std::vector<Sample>& out) override {
        const auto at = out.size();
        out.resize(at + count);
        const auto lost = std::span(out).subspan(at);
        if (!decoder_->conceal({}, lost)) std::ranges::fill(lost, Sample{0});
    }

private:
    const sdp::Codec codec_;
    std::unique_ptr<codec::Decoder> decoder_;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(std::string_view name, std::uint32_t clock, unsigned channels,
                                      std::string_view parameters) {
    if (channels <= 1 && clock == 8000) {
        if (iequals(name, "PCMU")) return std::make_unique<G711>(media::g711::Law::mu);
        if (iequals(name, "PCMA")) return std::make_unique<G711>(media::g711::Law::a);
    }
    sdp::Codec codec{.name = std::string(name),
                     .clock_rate = clock,
                     .channels = static_cast<std::uint8_t>(std::min(channels, 255U)),
                     .fmtp = std::string(parameters)};
    auto decoder = codec::make_decoder(codec, codec::native_rate(codec));
    return decoder ? std::make_unique<Coded>(std::move(codec), std::move(decoder)) : nullptr;
}

}  // namespace strowger::recorder
