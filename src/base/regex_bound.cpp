#include "base/regex_bound.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace strowger {

bool regex_explodes(std::string_view regex) {
    static constexpr unsigned most = 1000;
    unsigned product = 1;
    for (std::size_t at = 0; at < regex.size(); ++at) {
        unsigned factor = 1;
        if (at > 0 && std::string_view("+*?").find(regex[at]) != std::string_view::npos) {
            if (std::string_view("+*?})").find(regex[at - 1]) != std::string_view::npos) factor = 2;
        } else if (regex[at] == '{') {
            unsigned number = 0;
            for (auto i = at + 1; i < regex.size() && (is_digit(regex[i]) || regex[i] == ',');
                 ++i) {
                number =
                    regex[i] == ','
                        ? 0
                        : std::min(most + 1, number * 10 + static_cast<unsigned>(regex[i] - '0'));
                factor = std::max(factor, number);
            }
        }
        product = std::min(product * factor, most + 1);
    }
    return product > most;
}

}  // namespace strowger
