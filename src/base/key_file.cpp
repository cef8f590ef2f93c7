#include "base/key_file.hpp"

#include "base/text.hpp"

namespace strowger::ini {

// Lines keep their numbers, which complaints name.
Result<std::string> KeyFiles::read(const std::string& path) {
    auto text = files_.read(path);
    if (!text) return text;
    std::string escaped;
    escaped.reserve(text->size());
    for (const auto line : split(*text, '\n')) {
        const auto whole = trim(line);
        if (!whole.empty() && whole.front() != '#' && whole.front() != ';')
            for (const char c : line) {
                if (c == ';' && !escaped.ends_with('\\')) escaped += '\\';
                escaped += c;
            }
        escaped += '\n';
    }
    return escaped;
}

Result<std::string> KeyFiles::execute(const std::string& command) {
    return fail("'{}': nothing is executed for a key file", command);
}

}  // namespace strowger::ini
