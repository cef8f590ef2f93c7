#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "media/audio_file.hpp"
#include "media/tones.hpp"

using namespace strowger;

/// A file's head, then the whole as a file; and its text as a tone.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (auto tone = media::ToneGenerator::parse(as_text({data, size}))) {
        std::array<media::Sample, 400> samples;
        (void)tone->generate(samples);
    }
    if (!media::WavHeader::parse({data, size})) return 0;
    static const auto path = (std::filesystem::temp_directory_path() /
                              ("strowger-fuzz-" + std::to_string(::getpid()) + ".wav"))
                                 .string();
    std::FILE* const file = std::fopen(path.c_str(), "wb");
    if (file == nullptr) std::abort();
    std::fwrite(data, 1, size, file);
    std::fclose(file);
    auto audio = media::AudioFile::open(path);
    std::filesystem::remove(path);
    if (!audio) return 0;
    std::array<media::Sample, 160> samples;
    // A file of 1000 Hz grows eightfold, plus the filter's tail.
    std::size_t left = size * 9 + 4096;
    while (const auto count = audio->read(samples)) {
        if (count > left) std::abort();
        left -= count;
    }
    audio->seek(audio->length() / 2);
    (void)audio->read(samples);
    return 0;
}
