#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.hpp"
#include "base/text.hpp"
#include "pbx/config/configuration.hpp"
#include "pbx/sound_program.hpp"

namespace strowger::pbx {

/// Prompts and music by the names that dialplans use: "vm-goodbye", "digits/7", an absolute path
/// without suffix.
class Sounds {
public:
    /// Directories in the order of search. Each holds language folders (en, de ...) or files.
    explicit Sounds(std::vector<std::string> directories,
                    std::vector<std::string> music_directories);

    /// The file of a prompt in that language, else in English, else without one; the suffix that
    /// costs the least to play first. Nothing when there is none.
    std::optional<std::string> find(std::string_view name, std::string_view language) const;
    /// The program of a class with `mode = custom`.
    std::optional<SoundProgram> music_program(const config::Configuration& config,
                                              std::string_view music_class) const;
    /// Puts the files of a class into the order that it is to be played in: `sort`.
    static void arrange(std::vector<std::string>& files, const config::Configuration& config,
                        std::string_view music_class, Random& random);
    /// The files of a hold music class.
    std::vector<std::string> music(const config::Configuration& config,
                                   std::string_view music_class) const;
    const std::vector<std::string>& directories() const { return directories_; }
    void forget() { cache_.clear(); }  ///< after a reload: files may have come and gone

private:
    static constexpr std::size_t max_cached = 4096;

    std::optional<std::string> search(std::string_view name, std::string_view language) const;

    std::vector<std::string> directories_, music_directories_;
    mutable std::unordered_map<std::string, std::optional<std::string>, TextHash, std::equal_to<>>
        cache_;
};

}  // namespace strowger::pbx
