#include <cstdlib>

#include "base/bytes.hpp"
#include "wire/zip/zip.hpp"

using namespace strowger;

/// One archive; what was understood is written and read again to the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t limit = 1 << 16;
    const auto files = zip::read(as_text({data, size}), limit);
    if (!files) return 0;
    const auto again = zip::read(zip::write(*files), limit);
    if (!again || again->size() != files->size()) std::abort();
    for (std::size_t i = 0; i < files->size(); ++i)
        if ((*again)[i].bytes != (*files)[i].bytes) std::abort();
    return 0;
}
