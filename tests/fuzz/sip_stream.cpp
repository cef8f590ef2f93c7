// Any bytes as a stream, cut as the first byte says: what comes out may not depend on the cuts.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "wire/sip/stream_framer.hpp"

namespace {

using namespace strowger;
using namespace strowger::sip;

/// The messages, and how it ended.
std::vector<std::string> run(Bytes bytes, std::size_t step) {
    StreamFramer framer;
    std::vector<std::string> out;
    while (!bytes.empty()) {
        const auto part = std::min(step, bytes.size());
        framer.receive(bytes.first(part));
        bytes = bytes.subspan(part);
        for (;;) {
            const auto frame = framer.next();
            if (!frame) {
                // A flood of keep-alives counts reads, and so does depend on the cuts.
                out.push_back(frame.error().code() == 0 ? "flood" : "error");
                return out;
            }
            if (!*frame) break;
            if ((*frame)->kind == StreamFramer::Kind::message) out.emplace_back((*frame)->bytes);
        }
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes bytes(data + 1, size - 1);
    const auto whole = run(bytes, size);
    const auto cut = run(bytes, data[0] + std::size_t{1});
    const bool flooded =
        (!whole.empty() && whole.back() == "flood") || (!cut.empty() && cut.back() == "flood");
    if (!flooded && whole != cut) std::abort();
    return 0;
}
