#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

/// ZIP archives (PKWARE's APPNOTE 6.3), as far as tasks need them: stored and deflated files, no
/// encryption, no parts, no 64-bit sizes.
namespace strowger::zip {

struct File {
    std::string name;  ///< with '/' between its parts
    std::string bytes;
};

constexpr std::size_t max_files = 4096;  ///< of one archive
constexpr std::size_t max_name = 1024;   ///< bytes of a name

/// Files in the order of the archive's directory; folders are left out. `limit`: bytes of all of
/// them, unpacked.
Result<std::vector<File>> read(std::string_view archive, std::size_t limit);

/// Stored, not packed, and without times: the same files make the same archive.
std::string write(const std::vector<File>& files);

}  // namespace strowger::zip
