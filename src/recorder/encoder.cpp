// WAV and MP3.
#include <lame/lame.h>

#include <array>
#include <cstring>

#include "recorder/output.hpp"

namespace strowger::recorder {
namespace {

void put(std::vector<std::uint8_t>& out, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out.push_back(static_cast<std::uint8_t>(value >> 8 * i));
}
void put(std::vector<std::uint8_t>& out, std::string_view text) {
    out.insert(out.end(), text.begin(), text.end());
}

class Wav final : public Encoder {
public:
    Wav(std::uint32_t rate, unsigned channels) : rate_(rate), channels_(channels) {}

    void encode(std::span<const Sample> samples, std::vector<std::uint8_t>& out) override {
        for (const Sample sample : samples) put(out, static_cast<std::uint16_t>(sample), 2);
    }
    void finish(std::vector<std::uint8_t>&) override {}
    std::vector<std::uint8_t> head(std::uint64_t size) const override {
        constexpr std::uint64_t head_size = 44;
        // 32-bit sizes: 74 hours of one channel; what is longer says the most that it can.
        const auto data = std::min<std::uint64_t>(size < head_size ? 0 : size - head_size,
                                                  0xffffffff - head_size);
        std::vector<std::uint8_t> out;
        put(out, "RIFF");
        put(out, head_size - 8 + data, 4);
        put(out, "WAVEfmt ");
        put(out, 16, 4);
        put(out, 1, 2);  // PCM
        put(out, channels_, 2);
        put(out, rate_, 4);
        put(out, std::uint64_t{rate_} * channels_ * 2, 4);
        put(out, channels_ * 2U, 2);
        put(out, 16, 2);
        put(out, "data");
        put(out, data, 4);
        return out;
    }

private:
    std::uint32_t rate_;
    unsigned channels_;
};

class Mp3 final : public Encoder {
public:
    static Result<std::unique_ptr<Encoder>> make(std::uint32_t rate, unsigned channels,
                                                 unsigned bitrate) {
        if (channels > 2)
            return fail("MP3 has two channels at most, not {}: set mix-num-inputs = 2", channels);
        auto mp3 = std::make_unique<Mp3>(channels);
        lame_t lame = mp3->lame_.get();
        lame_set_in_samplerate(lame, static_cast<int>(rate));
        lame_set_out_samplerate(lame, static_cast<int>(rate));
        lame_set_num_channels(lame, static_cast<int>(channels));
        lame_set_mode(lame, channels == 1 ? MONO : JOINT_STEREO);
        lame_set_brate(lame, static_cast<int>(bitrate / 1000));
        lame_set_quality(lame, 5);
        // A head of its own would have to be put right at the end, which a crash prevents.
        lame_set_bWriteVbrTag(lame, 0);
        if (lame_init_params(lame) < 0)
            return fail("MP3 cannot have {} Hz at {} bit/s", rate, bitrate);
        return mp3;
    }
    explicit Mp3(unsigned channels) : lame_(lame_init()), channels_(channels) {}

    void encode(std::span<const Sample> samples, std::vector<std::uint8_t>& out) override {
        const auto frames = samples.size() / channels_;
        const auto at = out.size();
        out.resize(at + frames * 5 / 4 + 7200);  // as lame.h wants it
        const auto room = static_cast<int>(out.size() - at);
        const int size =
            channels_ == 1
                ? lame_encode_buffer(lame_.get(), samples.data(), samples.data(),
                                     static_cast<int>(frames), out.data() + at, room)
                : lame_encode_buffer_interleaved(lame_.get(), const_cast<Sample*>(samples.data()),
                                                 static_cast<int>(frames), out.data() + at, room);
        out.resize(at + static_cast<std::size_t>(std::max(size, 0)));
    }
    void finish(std::vector<std::uint8_t>& out) override {
        const auto at = out.size();
        out.resize(at + 7200);
        const int size = lame_encode_flush(lame_.get(), out.data() + at, 7200);
        out.resize(at + static_cast<std::size_t>(std::max(size, 0)));
    }
    std::vector<std::uint8_t> head(std::uint64_t) const override { return {}; }

private:
    struct Closer {
        void operator()(lame_t lame) const { lame_close(lame); }
    };
    std::unique_ptr<lame_global_struct, Closer> lame_;
    unsigned channels_;
};

}  // namespace

Result<std::unique_ptr<Encoder>> make_encoder(const Settings& settings, std::uint32_t rate,
                                              unsigned channels) {
    if (settings.format == Format::mp3) return Mp3::make(rate, channels, settings.mp3_bitrate);
    return std::make_unique<Wav>(rate, channels);
}

}  // namespace strowger::recorder
