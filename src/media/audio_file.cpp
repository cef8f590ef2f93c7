#include "media/audio_file.hpp"

#include <algorithm>
#include <cstring>

#include "base/text.hpp"

namespace strowger::media {

namespace {

constexpr std::size_t chunk_frames = 1024;  // read at a time

std::uint32_t get32(Bytes b, std::size_t at) {
    return b[at] | std::uint32_t{b[at + 1]} << 8 | std::uint32_t{b[at + 2]} << 16 |
           std::uint32_t{b[at + 3]} << 24;
}
std::uint16_t get16(Bytes b, std::size_t at) {
    return static_cast<std::uint16_t>(b[at] | b[at + 1] << 8);
}

std::size_t sample_size(Encoding encoding) { return encoding == Encoding::pcm16 ? 2 : 1; }

Sample sample_at(Encoding encoding, const std::uint8_t* raw) {
    switch (encoding) {
        case Encoding::pcm8: return static_cast<Sample>((raw[0] - 128) * 256);
        case Encoding::pcm16: return static_cast<Sample>(raw[0] | raw[1] << 8);
        case Encoding::mu_law: return g711::decode_mu(raw[0]);
        case Encoding::a_law: return g711::decode_a(raw[0]);
    }
    return 0;
}

Result<Encoding> encoding_of(unsigned tag, unsigned bits) {
    if (tag == 1 && bits == 8) return Encoding::pcm8;
    if (tag == 1 && bits == 16) return Encoding::pcm16;
    if (tag == 6 && bits == 8) return Encoding::a_law;
    if (tag == 7 && bits == 8) return Encoding::mu_law;
    return fail("WAV: expected PCM of 8 or 16 bits, A-law or u-law, got format {} of {} bits", tag,
                bits);
}

Result<> parse_format(Bytes chunk, WavHeader& header) {
    if (chunk.size() < 16)
        return fail("WAV: fmt chunk of {} bytes; 16 are the least", chunk.size());
    unsigned tag = get16(chunk, 0);
    const unsigned bits = get16(chunk, 14);
    // WAVE_FORMAT_EXTENSIBLE: the tag begins the sub-format's GUID.
    if (tag == 0xfffe && chunk.size() >= 26) tag = get16(chunk, 24);
    auto encoding = encoding_of(tag, bits);
    if (!encoding) return std::unexpected(encoding.error());
    header.encoding = *encoding;
    header.channels = get16(chunk, 2);
    header.rate = get32(chunk, 4);
    if (header.channels == 0 || header.channels > WavHeader::max_channels) {
        return fail("WAV: expected 1 to {} channels, got {}", WavHeader::max_channels,
                    header.channels);
    }
    if (header.rate < WavHeader::min_rate || header.rate > WavHeader::max_rate) {
        return fail("WAV: expected a rate of {} to {}, got {}", WavHeader::min_rate,
                    WavHeader::max_rate, header.rate);
    }
    return {};
}

/// The format that a suffix stands for, for files without a head.
std::optional<WavHeader> headerless(std::string_view suffix) {
    WavHeader header;
    if (suffix == ".ulaw" || suffix == ".ul" || suffix == ".mu" || suffix == ".pcm") {
        header.encoding = Encoding::mu_law;
        return header;
    }
    if (suffix == ".alaw" || suffix == ".al") {
        header.encoding = Encoding::a_law;
        return header;
    }
    if (suffix == ".raw") return header;
    if (!suffix.starts_with(".sln")) return std::nullopt;
    suffix.remove_prefix(4);
    if (suffix.empty()) return header;
    const auto kilohertz = parse_number<std::uint32_t>(suffix);
    if (!kilohertz) return std::nullopt;
    // .sln44 is 44.1 kHz.
    header.rate = *kilohertz == 44 ? 44100 : *kilohertz > 384 ? 0 : *kilohertz * 1000;
    if (header.rate < WavHeader::min_rate) return std::nullopt;
    return header;
}

}  // namespace

Result<WavHeader> WavHeader::parse(Bytes head) {
    head = head.first(std::min(head.size(), max_head));
    if (head.size() < 12 || as_text(head.first(4)) != "RIFF" ||
        as_text(head.subspan(8, 4)) != "WAVE") {
        return fail("WAV: expected RIFF and WAVE at the start");
    }
    WavHeader header;
    bool formatted = false;
    for (std::size_t at = 12; at + 8 <= head.size();) {
        const auto name = as_text(head.subspan(at, 4));
        const std::uint64_t size = get32(head, at + 4);
        at += 8;
        if (name == "data") {
            if (!formatted) return fail("WAV: data chunk before the fmt chunk");
            header.data_offset = at;
            header.data_size = size;
            return header;
        }
        if (size > head.size() - at) break;
        if (name == "fmt ") {
            const auto parsed = parse_format(head.subspan(at, size), header);
            if (!parsed) return std::unexpected(parsed.error());
            formatted = true;
        }
        at += static_cast<std::size_t>(size + (size & 1));  // chunks are padded to even sizes
    }
    return fail("WAV: no data chunk in the first {} bytes", head.size());
}

Result<AudioFile> AudioFile::open(const std::filesystem::path& path) {
    AudioFile audio;
    auto file = io::OpenFile::open(path.string(), io::OpenFile::Mode::read);
    if (!file) return std::unexpected(file.error());
    const auto suffix = to_lower(path.extension().string());
    if (const auto known = headerless(suffix)) {
        audio.format_ = *known;
    } else if (suffix == ".wav" || suffix == ".wave") {
        std::vector<std::uint8_t> head(WavHeader::max_head);
        const auto got = file->read(head);
        if (!got) return std::unexpected(got.error());
        head.resize(*got);
        const auto parsed = WavHeader::parse(head);
        if (!parsed) return std::unexpected(parsed.error().within(path.string()));
        audio.format_ = *parsed;
    } else {
        return fail("{}: expected .wav, .ulaw, .alaw, .sln or .raw, got '{}'", path.string(),
                    suffix);
    }
    const auto size = file->size();
    if (!size) return std::unexpected(size.error());
    audio.file_ = std::move(*file);
    const auto there = *size - std::min(*size, audio.format_.data_offset);
    auto& declared = audio.format_.data_size;
    // Sizes of 0 and all ones are of streams that never came back to fill them in.
    if (declared == 0 || declared == 0xffffffffU || declared > there) declared = there;
    const auto frame = sample_size(audio.format_.encoding) * audio.format_.channels;
    declared -= declared % frame;
    audio.resampler_ = Resampler(audio.format_.rate, 8000);
    audio.seek({});
    return audio;
}

std::size_t AudioFile::read(std::span<Sample> out) {
    std::size_t done = 0;
    while (done < out.size()) {
        if (ready_at_ == ready_.size() && !fill()) break;
        const auto count = std::min(out.size() - done, ready_.size() - ready_at_);
        std::copy_n(ready_.begin() + static_cast<std::ptrdiff_t>(ready_at_), count,
                    out.begin() + static_cast<std::ptrdiff_t>(done));
        ready_at_ += count;
        done += count;
    }
    return done;
}

// Puts some samples into `ready_`; false at the end.
bool AudioFile::fill() {
    ready_.clear();
    ready_at_ = 0;
    const auto width = sample_size(format_.encoding);
    const auto frame = width * format_.channels;
    while (ready_.empty() && !drained_) {
        const auto wanted = std::min<std::uint64_t>(remaining_, chunk_frames * frame);
        raw_.resize(static_cast<std::size_t>(wanted));
        const Result<std::size_t> read = wanted == 0 ? 0 : file_.read(raw_);
        const auto got = read.value_or(0);
        if (got < wanted) {
            failed_ = !read;
            remaining_ = 0;
        } else {
            remaining_ -= got;
        }
        mono_.resize(got / frame);
        for (std::size_t i = 0; i < mono_.size(); ++i) {
            int sum = 0;
            for (unsigned c = 0; c < format_.channels; ++c) {
                sum += sample_at(format_.encoding, &raw_[i * frame + c * width]);
            }
            mono_[i] = static_cast<Sample>(sum / static_cast<int>(format_.channels));
        }
        resampler_.process(mono_, ready_);
        if (remaining_ == 0) {
            drained_ = true;
            resampler_.flush(ready_);
        }
    }
    return !ready_.empty();
}

void AudioFile::seek(Duration from_start) {
    const auto frame = sample_size(format_.encoding) * format_.channels;
    const double frames = std::max(0.0, seconds(from_start)) * format_.rate;
    const auto total = format_.data_size / frame;
    const auto skipped =
        frames >= static_cast<double>(total) ? total : static_cast<std::uint64_t>(frames);
    remaining_ = format_.data_size - skipped * frame;
    failed_ = !file_.seek(format_.data_offset + skipped * frame);
    if (failed_) remaining_ = 0;
    ready_.clear();
    ready_at_ = 0;
    drained_ = false;
    resampler_.reset();
}

Duration AudioFile::length() const {
    const auto frame = sample_size(format_.encoding) * format_.channels;
    const auto frames = static_cast<double>(format_.data_size / frame);
    return std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(frames / format_.rate));
}

}  // namespace strowger::media
