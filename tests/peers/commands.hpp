#pragma once

#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

namespace strowger {

/// One line to whoever drives this program.
template <typename... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
    std::cout << fmt::format(format, std::forward<Args>(args)...) << std::endl;
}

/// What comes on standard input, line by line.
class Commands {
public:
    /// Reads what is there and hands each whole line to `obey`. False at the end of the input.
    template <typename Obey>
    bool read(Obey&& obey) {
        std::array<char, 4096> buffer;
        const auto size = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (size <= 0) return false;
        input_.append(buffer.data(), static_cast<std::size_t>(size));
        for (auto end = input_.find('\n'); end != std::string::npos; end = input_.find('\n')) {
            const std::string line = input_.substr(0, end);
            input_.erase(0, end + 1);
            obey(std::string_view(line));
        }
        return true;
    }

private:
    std::string input_;
};

}  // namespace strowger
