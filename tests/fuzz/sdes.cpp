#include <cstdlib>

#include "wire/srtp/receiver.hpp"
#include "wire/srtp/sdes.hpp"

using namespace strowger;
using namespace strowger::srtp;

/// Any text as the value of `a=crypto`: what is read is printed and read again to the same, and
/// makes a session.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text({data, size});
    const auto crypto = parse_crypto(text);
    if (crypto) {
        for (const auto padding : {Padding::omitted, Padding::written}) {
            const auto again = parse_crypto(print(*crypto, padding));
            if (!again || *again != *crypto) std::abort();
        }
        if (!Receiver::make(crypto->policy, crypto->identified_keys())) std::abort();
    }
    if (const auto bytes = from_base64(text)) {
        if (from_base64(to_base64(*bytes, Padding::written)) != bytes) std::abort();
    }
    return 0;
}
