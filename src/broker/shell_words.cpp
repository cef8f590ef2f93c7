#include "broker/shell_words.hpp"

#include "base/text.hpp"

namespace strowger::broker {

namespace {

// POSIX section 2.2.3: within double quotes a backslash escapes these and stands for itself else.
constexpr std::string_view escaped_in_quotes = "$`\"\\\n";

}  // namespace

Result<std::vector<std::string>> shell_words(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    char quote = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quote == '\'') {
            if (c == quote)
                quote = 0;
            else
                word += c;
        } else if (c == '\\') {
            if (i + 1 == text.size()) return fail("a backslash at the end escapes nothing");
            const char next = text[++i];
            if (quote && escaped_in_quotes.find(next) == std::string_view::npos) word += c;
            word += next;
            in_word = true;
        } else if (quote) {
            if (c == quote)
                quote = 0;
            else
                word += c;
        } else if (c == '\'' || c == '"') {
            quote = c;
            in_word = true;
        } else if (is_space(c)) {
            if (in_word) words.push_back(std::move(word));
            word.clear();
            in_word = false;
        } else {
            word += c;
            in_word = true;
        }
        if (words.size() >= max_words) return fail("more than {} words", max_words);
    }
    if (quote) return fail("{} is opened and not closed", quote);
    if (in_word) words.push_back(std::move(word));
    return words;
}

}  // namespace strowger::broker
