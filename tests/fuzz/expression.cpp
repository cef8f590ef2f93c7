#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "pbx/dialplan/expression.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger;
    (void)dialplan::evaluate(as_text({data, size}), [](auto, auto arguments) {
        return Result<std::string>(std::string(arguments));
    });
    return 0;
}
