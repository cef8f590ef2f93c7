#include <cstdlib>

#include "base/bytes.hpp"
#include "wire/sdp/offer_answer.hpp"

using namespace strowger;

/// Any text: parsed, printed, parsed again to the same, answered and taken as an answer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto session = sdp::Session::parse(as_text({data, size}));
    if (!session) return 0;
    const std::string printed = session->text();
    const auto again = sdp::Session::parse(printed);
    if (!again || again->text() != printed) std::abort();

    sdp::LocalAudio local{.codecs = {{"PCMU"}, {"opus", 48000, 2}, {"telephone-event"}},
                          .port = 4000};
    if (const auto answer = sdp::answer(*session, local, {})) {
        const std::string text = answer->description.text();
        const auto parsed = sdp::Session::parse(text);
        if (!parsed || parsed->media.size() != session->media.size()) std::abort();
    }
    local.codecs.clear();
    if (const auto answer = sdp::answer(*session, local, {})) {
        if (!sdp::Session::parse(answer->description.text())) std::abort();
        (void)sdp::offer(local, {}, &answer->description);
    }
    const auto offer = sdp::offer({.codecs = {{"PCMU"}, {"G722"}}, .port = 4000}, {});
    (void)sdp::accept_answer(offer, *session);
    for (const auto& section : session->media) {
        (void)section.rtcp_address();
        (void)section.is_hold();
    }
    return 0;
}
