#pragma once

#include <span>
#include <string_view>

namespace strowger::echo {

struct EmbeddedFile {
    std::string_view name;  ///< "index.html"
    std::string_view bytes;
};

/// The files of the test page: web/echo, put into the program when it is built.
std::span<const EmbeddedFile> embedded_files();

}  // namespace strowger::echo
