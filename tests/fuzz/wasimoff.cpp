#include <cstdlib>

#include "wire/wasimoff/envelope.hpp"

using namespace strowger;
using namespace strowger::wasimoff;

namespace {

template <typename Message>
void read_as(const Envelope& envelope) {
    if (!envelope.is<Message>()) return;
    Message message;
    if (!envelope.read(message)) return;
    // What was understood is written and read again to the same.
    const auto text = encode(envelope.codec, envelope.sequence, envelope.type, &message);
    const auto again = decode(envelope.codec, as_bytes(text));
    Message back;
    if (!again || again->sequence != envelope.sequence || !again->template is<Message>())
        std::abort();
    (void)again->read(back);
}

}  // namespace

/// One envelope: the first byte chooses the codec.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto codec = data[0] % 2 ? Codec::json : Codec::protobuf;
    const auto envelope = decode(codec, {data + 1, size - 1});
    if (!envelope) return 0;
    read_as<pb::Task_Wasip1_Request>(*envelope);
    read_as<pb::Task_Wasip1_Response>(*envelope);
    read_as<pb::Task_Pyodide_Request>(*envelope);
    read_as<pb::Filesystem_Upload_Request>(*envelope);
    read_as<pb::Filesystem_Listing_Response>(*envelope);
    read_as<pb::Event_ProviderResources>(*envelope);
    read_as<pb::Event_FileSystemUpdate>(*envelope);
    return 0;
}
