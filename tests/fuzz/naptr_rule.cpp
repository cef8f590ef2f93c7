// A line of the number and one of the regular expression that somebody's name server gave for it.

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/text.hpp"
#include "wire/sip/enum_uri.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger;
    const auto [number, rule] = split_once(as_text({data, size}), '\n');
    (void)sip::enum_domain(number, "e164.arpa");
    (void)sip::is_enum_service(rule, "sip");
    (void)sip::apply_naptr_rule(rule, number);
    return 0;
}
