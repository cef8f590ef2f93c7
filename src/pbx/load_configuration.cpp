#include "pbx/load_configuration.hpp"

#include <fmt/format.h>

#include "io/disk_files.hpp"
#include "io/file.hpp"
#include "pbx/lint.hpp"

namespace strowger::pbx {

LoadedConfiguration load_configuration(const std::string& directory) {
    io::DiskFileSource files;
    LoadedConfiguration loaded;
    loaded.config = config::load(files, directory);
    if (!io::file_info(directory))
        loaded.config->diagnostics.error(directory, 0, "there is no such directory");
    std::vector<dialplan::ExtraHint> hints;
    for (const auto& hint : loaded.config->hints)
        hints.push_back({hint.context, hint.exten, "PJSIP/" + hint.endpoint, hint.application,
                         hint.file, hint.line});
    for (const auto& lot : loaded.config->parking_lots) {
        const auto add = [&](std::string exten, std::string application) {
            hints.push_back({lot.context,
                             std::move(exten),
                             {},
                             std::move(application),
                             "res_parking.conf",
                             lot.place.line});
        };
        if (!lot.parkext.empty()) add(lot.parkext, "Park(" + lot.name + ")");
        for (auto space = lot.first; space <= lot.last; ++space)
            add(std::to_string(space), fmt::format("ParkedCall({},{})", lot.name, space));
    }
    loaded.plan = dialplan::load(loaded.config->extensions, hints, loaded.config->diagnostics);
    lint(*loaded.config, *loaded.plan, loaded.config->diagnostics);
    return loaded;
}

}  // namespace strowger::pbx
