#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "base/result.hpp"
#include "io/open_file.hpp"
#include "media/g711.hpp"

namespace strowger::media {

/// Writes a 16-bit PCM WAV file, 8 kHz mono. The sizes in its head are brought up to date once a
/// second of audio, so a crash loses a second at most. It waits for the disk: call it
/// from a thread that may touch the disk.
class WavWriter {
public:
    static constexpr std::uint64_t max_data = 0xffffffffULL - 64;  ///< 32-bit sizes: 74 hours

    /// A new file, or with `append` one of ours (or any 16-bit 8 kHz mono WAV) carried on.
    static Result<WavWriter> open(const std::filesystem::path& path, bool append = false);

    Result<> write(std::span<const Sample> samples);
    Result<> close();  ///< final sizes; the destructor does it too, but cannot report
    std::uint64_t samples() const { return data_size_ / 2; }

    WavWriter(WavWriter&&) noexcept = default;
    WavWriter& operator=(WavWriter&&) noexcept;
    ~WavWriter();

private:
    WavWriter() = default;
    Result<> patch_head();

    io::OpenFile file_;
    std::uint64_t data_offset_ = 44;
    std::uint64_t data_size_ = 0, patched_size_ = 0;
};

}  // namespace strowger::media
