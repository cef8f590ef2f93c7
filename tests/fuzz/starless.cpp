#include <cstdlib>

#include "wire/starless/messages.hpp"

using namespace strowger;
using namespace strowger::starless;

/// A stream of objects, cut in two, and each as every message that it might be.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes bytes(data + 1, size - 1);
    const auto cut = bytes.empty() ? 0 : data[0] % bytes.size();
    ObjectStream objects(1 << 16);
    for (const auto part : {bytes.first(cut), bytes.subspan(cut)}) {
        objects.feed(part);
        while (true) {
            const auto value = objects.next();
            if (!value) return 0;
            if (!*value) break;
            (void)read_control(**value);
            (void)read_answer_header(**value);
            const auto files = read_files(**value);
            const auto outcome = read_outcome(**value);
            if (outcome && outcome->trace.size() > max_trace) std::abort();
            if (files)
                for (const auto& file : *files) {
                    // What was understood is written and read again to the same.
                    const auto written = write_probe(0, file);
                    std::size_t need = 0;
                    const auto header = read_object(written, need);
                    const auto body = read_object(Bytes(written).subspan((*header)->used), need);
                    const auto* name = (*body)->value.find("filename");
                    if (!name || name->text() != file.name) std::abort();
                }
        }
    }
    return 0;
}
