#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strowger::pbx {

/// The options argument of an application: letters, some with an argument in brackets,
/// "gm(jazz)tT". Unknown letters are kept and do no harm.
class OptionLetters {
public:
    explicit OptionLetters(std::string_view text);

    bool has(char letter) const { return argument(letter).has_value(); }
    /// "" for a letter without brackets, nothing when it was not given. The last one counts.
    std::optional<std::string_view> argument(char letter) const&;
    std::optional<std::string_view> argument(char letter) const&& = delete;  ///< it would dangle

private:
    std::vector<std::pair<char, std::string>> letters_;
};

}  // namespace strowger::pbx
