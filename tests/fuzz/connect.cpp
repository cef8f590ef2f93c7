#include <cstdlib>

#include "base/bytes.hpp"
#include "wire/connect/grpc_web.hpp"
#include "wire/connect/gzip.hpp"

using namespace strowger;
using namespace strowger::connect;

/// A body as gRPC-Web and as gzip; then packed by ourselves, which must come back.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t limit = 1 << 20;
    const auto text = as_text({data, size});
    if (const auto message = grpc_request(text); message && message->bytes.size() + 5 != size)
        std::abort();
    if (const auto plain = gunzip(text, limit); plain && plain->size() > limit) std::abort();
    if (size > 0 && gunzip(gzip(text), size + 1) != text) std::abort();
    (void)error_json(Code::unknown, text);
    (void)grpc_failure(Code::internal, text);
    return 0;
}
