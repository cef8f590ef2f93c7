#include "pbx/load_configuration.hpp"

#include "io/file.hpp"
#include "pbx/disk_files.hpp"

namespace strowger::pbx {

LoadedConfiguration load_configuration(const std::string& directory) {
    DiskFileSource files;
    LoadedConfiguration loaded;
    loaded.config = config::load(files, directory);
    if (!io::file_info(directory)) loaded.config->diagnostics.error(directory, 0, "there is no such directory");
    std::vector<dialplan::ExtraHint> hints;
    for (const auto& hint : loaded.config->hints)
        hints.push_back({hint.context, hint.exten, "PJSIP/" + hint.endpoint, hint.application, hint.file, hint.line});
    loaded.plan = dialplan::load(loaded.config->extensions, hints, loaded.config->diagnostics);
    return loaded;
}

}  // namespace strowger::pbx
