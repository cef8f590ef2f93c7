// Any text as a URI, an address and a parameter list. A URI printed and parsed again is the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/sip/refer_to.hpp"
#include "wire/sip/uri.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger::sip;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    (void)find_parameter(text, "tag");
    if (unescape(escape_user(text)) != text) std::abort();
    if (const auto address = NameAddress::parse(text)) {
        (void)address->display_text();
        (void)address->parameter("tag");
        (void)Uri::parse(address->uri);
    }
    if (const auto refer = ReferTo::parse(text)) (void)refer->target();
    const auto uri = Uri::parse(text);
    if (!uri) return 0;
    if (!equivalent(*uri, *uri)) std::abort();
    const auto printed = uri->text();
    const auto again = Uri::parse(printed);
    if (!again || !equivalent(*uri, *again)) std::abort();
    return 0;
}
