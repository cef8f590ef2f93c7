#include "pbx/sounds.hpp"

#include <algorithm>

#include "io/file.hpp"

namespace strowger::pbx {

namespace {

constexpr std::array suffixes{".wav", ".wav16", ".ulaw", ".alaw", ".gsm", ".g722", ".sln"};
constexpr std::array playable{".wav", ".ulaw", ".alaw", ".sln"};

bool is_playable(const std::string& path) {
    return std::any_of(playable.begin(), playable.end(),
                       [&](const char* s) { return path.ends_with(s); });
}

// Where the words of a language may lie, the nearest first. Debian names folders after the speaker
// (en_US_f_Allison) and links "en" to one of them only when its package of links is installed.
std::vector<std::string> language_folders(const std::string& directory, std::string_view language) {
    const std::string generic(language.substr(0, language.find('_')));
    const auto present = io::list_directory(directory);
    std::vector<std::string> folders;
    for (const auto& wanted : {std::string(language), generic, std::string("en")}) {
        folders.push_back(wanted);
        if (present && !wanted.empty())
            std::copy_if(present->begin(), present->end(), std::back_inserter(folders),
                         [&](const std::string& name) { return name.starts_with(wanted + "_"); });
    }
    folders.emplace_back();
    return folders;
}

}  // namespace

Sounds::Sounds(std::vector<std::string> directories, std::vector<std::string> music_directories)
    : directories_(std::move(directories)), music_directories_(std::move(music_directories)) {}

std::optional<std::string> Sounds::find(std::string_view name, std::string_view language) const {
    std::string key(language);
    (key += ':') += name;
    if (const auto known = cache_.find(key); known != cache_.end()) return known->second;
    if (cache_.size() >= max_cached) cache_.clear();
    auto path = search(name, language);
    cache_.emplace(std::move(key), path);
    return path;
}

std::optional<std::string> Sounds::search(std::string_view name, std::string_view language) const {
    // A name with ".." could reach any file that happens to be sound; prompts have no need of it.
    if (name.empty() || name.find("..") != std::string_view::npos ||
        name.find('\0') != std::string_view::npos)
        return std::nullopt;
    std::vector<std::string> stems;
    if (name.front() == '/') {
        stems.emplace_back(name);
    } else {
        for (const auto& directory : directories_)
            for (const auto& folder : language_folders(directory, language))
                stems.push_back(directory + (folder.empty() ? "" : "/" + folder) + "/" +
                                std::string(name));
    }
    for (const auto& stem : stems) {
        for (const auto suffix : suffixes)
            if (std::string path = stem + suffix; is_playable(path) && io::file_exists(path))
                return path;
        if (is_playable(stem) && io::file_exists(stem)) return stem;
    }
    return std::nullopt;
}

std::optional<SoundProgram> Sounds::music_program(const config::Configuration& config,
                                                  std::string_view music_class) const {
    const auto* entry = config.music.find(music_class);
    if (!entry || !iequals(entry->mode, "custom") || entry->application.empty())
        return std::nullopt;
    SoundProgram program;
    // The shell takes quotes and blanks apart, and is gone then. Files come as further arguments.
    program.arguments = {"sh", "-c", "exec " + entry->application + " \"$@\"", "sh"};
    if (!entry->directory.empty() && !iequals(entry->directory, "nodir"))
        if (const auto names = io::list_directory(entry->directory))
            for (const auto& file : *names)
                program.arguments.push_back(entry->directory + "/" + file);
    if (iequals(entry->format, "ulaw")) program.format = SoundProgram::Format::ulaw;
    if (iequals(entry->format, "alaw")) program.format = SoundProgram::Format::alaw;
    program.again = true;
    return program;
}

void Sounds::arrange(std::vector<std::string>& files, const config::Configuration& config,
                     std::string_view music_class, Random& random) {
    const auto* entry = config.music.find(music_class);
    if (!entry) entry = config.music.find("default");
    if (!entry || files.empty()) return;
    if (iequals(entry->sort, "alpha")) std::ranges::sort(files);
    if (iequals(entry->sort, "randstart"))
        std::ranges::rotate(
            files, files.begin() + static_cast<std::ptrdiff_t>(random.below(files.size())));
    if (iequals(entry->sort, "random"))
        for (std::size_t i = files.size(); i > 1; --i)
            std::swap(files[i - 1], files[random.below(i)]);
}

std::vector<std::string> Sounds::music(const config::Configuration& config,
                                       std::string_view music_class) const {
    const auto* entry = config.music.find(music_class);
    if (!entry) entry = config.music.find("default");
    std::vector<std::string> wanted;
    if (entry && entry->mode == "playlist") {
        for (const auto& file : entry->entries)
            if (is_playable(file) && io::file_exists(file)) wanted.push_back(file);
        return wanted;
    }
    const std::string directory = entry && !entry->directory.empty() ? entry->directory : "moh";
    std::vector<std::string> candidates;
    if (directory.front() == '/')
        candidates.push_back(directory);
    else
        for (const auto& base : music_directories_) candidates.push_back(base + "/" + directory);
    for (const auto& base : music_directories_) candidates.push_back(base);
    for (const auto& candidate : candidates) {
        const auto names = io::list_directory(candidate);
        if (!names) continue;
        for (const auto& file : *names)
            if (is_playable(file)) wanted.push_back(candidate + "/" + file);
        if (!wanted.empty()) break;
    }
    return wanted;
}

}  // namespace strowger::pbx
