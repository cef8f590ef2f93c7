#include "pbx/option_letters.hpp"

namespace strowger::pbx {

OptionLetters::OptionLetters(std::string_view text) {
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char letter = text[at];
        std::string argument;
        if (at + 1 < text.size() && text[at + 1] == '(') {
            int depth = 0;
            std::size_t end = at + 1;
            for (; end < text.size(); ++end) {
                if (text[end] == '(') ++depth;
                if (text[end] == ')' && --depth == 0) break;
            }
            argument = text.substr(at + 2, end - at - 2);
            at = end;
        }
        letters_.emplace_back(letter, std::move(argument));
    }
}

std::optional<std::string_view> OptionLetters::argument(char letter) const& {
    for (auto option = letters_.rbegin(); option != letters_.rend(); ++option)
        if (option->first == letter) return option->second;
    return std::nullopt;
}

}  // namespace strowger::pbx
