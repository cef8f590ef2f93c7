#include "pbx/recordings.hpp"

#include <array>

#include "base/text.hpp"
#include "io/file.hpp"

namespace strowger::pbx {

namespace {

constexpr std::size_t max_name = 1024;    // bytes; far above any real file name
constexpr unsigned max_counter = 100000;  // files of one name that are looked at for %d

constexpr std::array<std::string_view, 16> formats{"wav",  "wav49", "wav16", "gsm",  "ulaw", "alaw",
                                                   "ul",   "al",    "pcm",   "mu",   "sln",  "raw",
                                                   "g722", "g729",  "slin",  "sln16"};

bool leaves_directory(std::string_view name) {
    for (const auto part : split(name, '/'))
        if (part == "..") return true;
    return false;
}

}  // namespace

void Recordings::finished(const media::RecordFinished& event) {
    const auto found = running_.find(event.id);
    if (found == running_.end()) return;
    const auto done = found->second;
    running_.erase(found);
    done.resolve(event);
}

std::string_view without_format(std::string_view name) {
    const auto mark = name.find_last_of(".:/");
    if (mark == std::string_view::npos || name[mark] == '/') return name;
    const auto suffix = name.substr(mark + 1);
    for (const auto format : formats)
        if (iequals(suffix, format)) return name.substr(0, mark);
    return name;
}

Result<std::string> recording_path(std::string_view name, const std::string& directory) {
    name = without_format(trim(name));
    if (name.empty() || name.size() > max_name || name.ends_with('/') ||
        name.find('\0') != std::string_view::npos)
        return fail("'{}' is no name for a recording", name);
    if (leaves_directory(name)) return fail("'{}': a recording's name must not contain '..'", name);
    std::string stem =
        name.front() == '/' ? std::string(name) : directory + "/" + std::string(name);
    const auto counter = stem.find("%d");
    if (counter == std::string::npos) return stem + ".wav";
    for (unsigned n = 0; n < max_counter; ++n) {
        std::string numbered = stem;
        numbered.replace(counter, 2, std::to_string(n));
        numbered += ".wav";
        if (!io::file_exists(numbered)) return numbered;
    }
    return fail("'{}': there are {} such recordings already", name, max_counter);
}

}  // namespace strowger::pbx
