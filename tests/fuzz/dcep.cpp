#include <cstdlib>

#include "wire/datachannel/dcep.hpp"

using namespace strowger;

/// What can be read as an OPEN is written so that it is read as the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    (void)datachannel::is_ack({data, size});
    const auto settings = datachannel::parse_open({data, size});
    if (!settings) return 0;
    const auto again = datachannel::parse_open(datachannel::write_open(*settings));
    if (!again || *again != *settings) std::abort();
    return 0;
}
