#include <cstdlib>

#include "base/bytes.hpp"
#include "wire/ice/candidate.hpp"

using namespace strowger;

/// A line that can be read is printed so that it is read as the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto candidate = ice::Candidate::parse(as_text({data, size}));
    if (!candidate) return 0;
    const auto again = ice::Candidate::parse(candidate->text());
    if (!again && candidate->text().size() <= ice::Candidate::max_text) std::abort();
    if (again && *again != *candidate) std::abort();
    (void)candidate->is_mdns();
    return 0;
}
