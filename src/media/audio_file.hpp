#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "io/open_file.hpp"
#include "media/g711.hpp"
#include "media/resampler.hpp"

namespace strowger::media {

enum class Encoding : std::uint8_t { pcm8, pcm16, mu_law, a_law };

/// What the head of a WAV file says.
struct WavHeader {
    static constexpr std::size_t max_head = 65536;  ///< bytes before the samples that are looked at
    static constexpr std::uint32_t min_rate = 1000, max_rate = 384000;
    static constexpr unsigned max_channels = 8;

    Encoding encoding = Encoding::pcm16;
    std::uint32_t rate = 8000;
    unsigned channels = 1;
    std::uint64_t data_offset = 0;
    std::uint64_t data_size =
        0;  ///< as declared; 0 or 0xffffffff in streams: to the end of the file

    /// The first bytes of a file, at most `max_head`. Understands RIFF/WAVE with fmt (plain and
    /// extensible) and data chunks; any others are skipped.
    static Result<WavHeader> parse(Bytes head);
};

/// Reads an audio file as 8 kHz mono samples, whatever rate and channels it has: WAV (PCM 8 and 16
/// bit, A-law, µ-law), and headerless .ulaw .ul .pcm .mu (µ-law), .alaw .al (A-law), .sln .raw and
/// .slnNN (16-bit little-endian at 8 or NN kHz). Streams: no more than a few kilobytes are in
/// memory.
class AudioFile {
public:
    static Result<AudioFile> open(const std::filesystem::path& path);

    /// Up to out.size() samples; fewer only at the end of the file, 0 after it.
    std::size_t read(std::span<Sample> out);
    /// To that time from the start; the end when it is beyond.
    void seek(Duration from_start);
    void rewind() { seek({}); }
    Duration length() const;
    bool failed() const { return failed_; }  ///< a read error rather than the end of the file

private:
    AudioFile() = default;
    bool fill();

    io::OpenFile file_;
    WavHeader format_;
    std::uint64_t remaining_ = 0;  // bytes of samples not yet read
    std::vector<std::uint8_t> raw_;
    std::vector<Sample> mono_, ready_;
    std::size_t ready_at_ = 0;
    Resampler resampler_{8000, 8000};
    bool failed_ = false, drained_ = false;
};

}  // namespace strowger::media
