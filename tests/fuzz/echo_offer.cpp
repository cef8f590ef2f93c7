#include <cstdlib>

#include "echo/answer.hpp"
#include "echo/offer.hpp"

using namespace strowger;

namespace {

const media::WebrtcLocal& local() {
    static const media::WebrtcLocal made{
        .credentials = {"ours", "ourpasswordof22letters"},
        .candidates = {ice::Candidate::host(*SocketAddress::parse("192.0.2.1:8080"))},
        .fingerprint = dtls::Fingerprint::of(dtls::Hash::sha_256, as_bytes("x")),
        .setup = dtls::Setup::passive};
    return made;
}

}  // namespace

/// An offer: what is taken of it gives an answer that can be read again, with as many sections. And
/// the same bytes as an answer to our client.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text({data, size});
    Random random(1);
    for (const auto kind : {echo::OfferKind::audio, echo::OfferKind::channel}) {
        (void)echo::read_answer(text, kind);
    }
    const auto plan = echo::OfferPlan::make(text, random);
    if (!plan) return 0;
    const auto answer = plan->answer(local(), random);
    const auto read = sdp::Session::parse(answer);
    if (!read || read->media.size() != sdp::Session::parse(text)->media.size()) std::abort();
    if (!media::transport_section(*read) && !read->bundle()) std::abort();
    return 0;
}
