// Any bytes as pjsip.conf, pjsip_wizard.conf and the rest: they are read or refused, no more.

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "pbx/config/configuration.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger;
    const std::string text(as_text({data, size}));
    ini::MemoryFiles files;
    for (const auto* name : {"pjsip.conf", "pjsip_wizard.conf", "extensions.conf", "asterisk.conf",
                             "rtp.conf", "logger.conf", "indications.conf", "musiconhold.conf",
                             "features.conf", "modules.conf", "acl.conf"})
        files.put(name, text);
    const auto configuration = pbx::config::load(files, "");
    for (const auto& endpoint : configuration->endpoints) (void)endpoint.field("context");
    return 0;
}
