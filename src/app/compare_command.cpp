#include <fmt/format.h>

#include <vector>

#include "app/commands.hpp"
#include "media/audio_file.hpp"
#include "media/speech_match.hpp"

namespace strowger::app {

namespace {

Result<std::vector<media::Sample>> read_all(const std::string& path) {
    auto file = media::AudioFile::open(path);
    if (!file) return std::unexpected(file.error());
    std::vector<media::Sample> samples;
    std::vector<media::Sample> part(8000);
    while (samples.size() < media::max_compared) {
        const auto got = file->read(part);
        if (got == 0) break;
        samples.insert(samples.end(), part.begin(),
                       part.begin() + static_cast<std::ptrdiff_t>(got));
    }
    if (file->failed()) return fail("{}: read error", path);
    return samples;
}

}  // namespace

int compare_speech(const std::string& sent_path, const std::string& heard_path, bool json) {
    const auto sent = read_all(sent_path);
    const auto heard = read_all(heard_path);
    if (!sent || !heard) {
        fmt::print(stderr, "strowger compare: {}\n", (sent ? heard : sent).error().text());
        return usage;
    }
    const auto match = media::match_speech(*sent, *heard);
    const auto delay_ms = std::chrono::duration<double, std::milli>(match.delay).count();
    if (json)
        fmt::print(
            "{{\"similarity\": {:.4f}, \"matched_percent\": {:.2f}, \"delay_ms\": {:.1f}, "
            "\"level_db\": {:.2f}}}\n",
            match.similarity, match.matched * 100, delay_ms, match.level_change);
    else
        fmt::print(
            "similarity {:.3f}, {:.1f} % of the speech matched, delay {:.1f} ms, level {:+.1f} "
            "dB\n",
            match.similarity, match.matched * 100, delay_ms, match.level_change);
    return match.similarity > 0.9 ? success : failure;
}

}  // namespace strowger::app
