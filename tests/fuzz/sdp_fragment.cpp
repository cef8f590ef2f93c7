#include <cstdlib>

#include "base/bytes.hpp"
#include "wire/sdp/session.hpp"

using namespace strowger;

/// Any text as a fragment of trickled candidates (RFC 8840): what can be read is printed so that it
/// is read as the same, and a whole description is read as a fragment, too.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text({data, size});
    const auto fragment = sdp::Session::parse_fragment(text);
    if (!fragment) {
        if (sdp::Session::parse(text)) std::abort();
        return 0;
    }
    const std::string printed = fragment->text();
    const auto again = sdp::Session::parse_fragment(printed);
    if (!again || again->text() != printed || again->media.size() != fragment->media.size())
        std::abort();
    for (std::size_t i = 0; i < fragment->media.size(); ++i) {
        const auto& section = fragment->media[i];
        if (section.mid != again->media[i].mid) std::abort();
        if (fragment->attribute_for(section, "ice-ufrag") !=
            again->attribute_for(again->media[i], "ice-ufrag"))
            std::abort();
        (void)section.attribute("end-of-candidates");
        (void)section.address();
        (void)section.rtcp_address();
    }
    return 0;
}
