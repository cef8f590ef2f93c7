#include "io/disk_files.hpp"

#include <glob.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

namespace strowger::io {

Result<std::string> DiskFileSource::read(const std::string& path) {
    std::error_code error;
    // A directory opens as well as a file does, and a device never ends.
    if (!std::filesystem::is_regular_file(path, error))
        return fail("{}: {}", path, error ? error.message() : "not a regular file");
    const auto size = std::filesystem::file_size(path, error);
    if (error) return fail("{}: {}", path, error.message());
    if (size > ini::max_bytes) return fail("{}: {} bytes are too many", path, size);
    std::ifstream file(path, std::ios::binary);
    std::string text(size, '\0');
    file.read(text.data(), static_cast<std::streamsize>(size));
    if (file.bad() || !file.is_open()) return fail("{}: {}", path, std::strerror(errno));
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

bool DiskFileSource::exists(const std::string& path) {
    std::error_code error;
    return std::filesystem::is_regular_file(path, error);
}

std::vector<std::string> DiskFileSource::glob(const std::string& pattern) {
    glob_t found{};
    std::vector<std::string> paths;
    if (::glob(pattern.c_str(), GLOB_BRACE | GLOB_MARK, nullptr, &found) == 0)
        for (std::size_t i = 0; i < found.gl_pathc; ++i)
            if (const std::string path = found.gl_pathv[i]; !path.ends_with('/'))
                paths.push_back(path);
    globfree(&found);
    return paths;
}

Result<std::string> DiskFileSource::execute(const std::string& command) {
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    if (!pipe) return fail("{}: {}", command, std::strerror(errno));
    std::string output;
    std::array<char, 4096> buffer;
    while (const auto size = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) {
        output.append(buffer.data(), size);
        if (output.size() > ini::max_bytes) return fail("{}: endless output", command);
    }
    return output;
}

}  // namespace strowger::io
