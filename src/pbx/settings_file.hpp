#pragma once

#include <string>

#include "io/disk_files.hpp"
#include "io/file.hpp"
#include "pbx/config/small_service.hpp"

namespace strowger::pbx {

/// What a service reads of its own file after each load of the configuration; the defaults where
/// there is none. Its mistakes were told when the configuration was loaded.
template <typename Settings>
Settings read_settings_file(const std::string& directory, const std::string& name) {
    if (!io::file_info(directory + '/' + name)) return {};
    io::DiskFileSource files;
    ini::Diagnostics told_already;
    // Commands are for files that are read with the configuration, not in the middle of a call.
    const auto document = ini::read(files, name, {false, directory}, told_already);
    return Settings::read(document, told_already);
}

}  // namespace strowger::pbx
