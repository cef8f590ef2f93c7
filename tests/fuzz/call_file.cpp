// Files in the outgoing spool, which whoever can write there may fill with anything.

#include "pbx/call_file.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/bytes.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger;
    const auto file = pbx::CallFile::parse(as_text({data, size}));
    if (file && file->variables.size() > pbx::CallFile::max_variables) std::abort();
    return 0;
}
