#include "pbx/dial_options.hpp"

#include "base/text.hpp"

namespace strowger::pbx {

DialOptions DialOptions::parse(std::string_view text) {
    DialOptions options;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char letter = text[i];
        std::string value;
        if (i + 1 < text.size() && text[i + 1] == '(') {
            std::size_t depth = 0;
            std::size_t end = i + 1;
            for (; end < text.size(); ++end) {
                if (text[end] == '(') ++depth;
                if (text[end] == ')' && --depth == 0) break;
            }
            value = text.substr(i + 2, end - i - 2);
            i = end;
        }
        options.values_[letter] = std::move(value);
    }
    return options;
}

std::string_view DialOptions::value(char letter) const {
    const auto found = values_.find(letter);
    return found == values_.end() ? std::string_view() : std::string_view(found->second);
}

std::optional<Duration> DialOptions::talk_limit() const {
    static constexpr std::int64_t longest_ms = std::int64_t{365} * 24 * 3600 * 1000;  // a year is for ever
    if (has('L')) {
        const auto ms = parse_number<std::int64_t>(trim(split_once(value('L'), ':').first));
        if (ms && *ms > 0 && *ms < longest_ms) return std::chrono::milliseconds{*ms};
    }
    if (has('S')) {
        const auto s = parse_number<std::int64_t>(trim(value('S')));
        if (s && *s > 0 && *s < longest_ms / 1000) return std::chrono::seconds{*s};
    }
    return std::nullopt;
}

}  // namespace strowger::pbx
