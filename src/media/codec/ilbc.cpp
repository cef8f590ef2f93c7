// iLBC by libavcodec (RFC 3952), which decodes alone: 20 ms in 38 bytes or 30 ms in 50.

#include <array>

#include "media/codec/libav.hpp"
#include "media/codec/made.hpp"

namespace strowger::codec {
namespace {

struct Mode {
    std::size_t bytes, samples;
};
constexpr std::array<Mode, 2> modes{{{38, 160}, {50, 240}}};

class IlbcDecoder final : public Decoder {
public:
    IlbcDecoder(std::size_t mode, std::unique_ptr<LibavDecoder> first)
        : Decoder(8000), mode_(mode) {
        decoders_[mode] = std::move(first);
    }
    // Many send in the other mode than was agreed: the length tells, but for 950 bytes.
    std::size_t decode(Bytes payload, std::span<Sample> out) override {
        if (payload.size() % modes[mode_].bytes != 0) {
            const std::size_t other = 1 - mode_;
            if (payload.size() % modes[other].bytes != 0) return 0;
            if (!decoders_[other])
                decoders_[other] =
                    LibavDecoder::make(AV_CODEC_ID_ILBC, static_cast<int>(modes[other].bytes));
            if (!decoders_[other]) return 0;
            mode_ = other;
        }
        const Mode& mode = modes[mode_];
        std::size_t done = 0;
        while (payload.size() >= mode.bytes && out.size() - done >= mode.samples) {
            const auto count =
                decoders_[mode_]->decode(payload.first(mode.bytes), out.subspan(done));
            if (count != mode.samples) break;
            done += count;
            payload = payload.subspan(mode.bytes);
        }
        return done;
    }

private:
    std::size_t mode_;
    std::array<std::unique_ptr<LibavDecoder>, 2> decoders_;
};

}  // namespace

std::unique_ptr<Decoder> ilbc_decoder(bool short_frames) {
    const std::size_t mode = short_frames ? 0 : 1;
    auto first = LibavDecoder::make(AV_CODEC_ID_ILBC, static_cast<int>(modes[mode].bytes));
    return first ? std::make_unique<IlbcDecoder>(mode, std::move(first)) : nullptr;
}
bool has_ilbc() {
    const Libav* const libav = Libav::get();
    return libav && libav->find_decoder(AV_CODEC_ID_ILBC);
}

}  // namespace strowger::codec
