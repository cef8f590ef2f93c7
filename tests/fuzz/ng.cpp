#include <cstdlib>

#include "base/bytes.hpp"
#include "wire/ng/framing.hpp"
#include "wire/ng/writer.hpp"

using namespace strowger;
using namespace strowger::ng;

namespace {

void copy(const Value& value, Writer& writer) {
    switch (value.kind()) {
        case Kind::string: writer.string(*value.text()); break;
        case Kind::integer: writer.integer(value.integer().value()); break;
        case Kind::list:
            writer.list();
            value.each([&](const Value& one) { copy(one, writer); });
            writer.end();
            break;
        case Kind::dictionary:
            writer.dictionary();
            value.each_pair([&](std::string_view key, const Value& one) {
                if (!value.find(key)) std::abort();
                writer.key(key);
                copy(one, writer);
            });
            writer.end();
            break;
    }
}

std::string written(const Document& document, Encoding encoding) {
    Writer writer(encoding);
    copy(document.root(), writer);
    return writer.take();
}

}  // namespace

/// Any text as a document: what is read is written in both encodings and read again to the same.
/// Then as a stream, in two parts, which must give what it gives in one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text({data, size});
    if (const auto document = Document::parse(text)) {
        const auto bencode = written(*document, Encoding::bencode);
        const auto again = Document::parse(bencode);
        // Written out, a JSON document of true and null may be larger, but not this much.
        if (!again || written(*again, Encoding::bencode) != bencode) std::abort();
        const auto json = written(*document, Encoding::json);
        if (json.size() <= max_document) {
            const auto once = Document::parse(json);
            if (!once || written(*once, Encoding::json) != json) std::abort();
        }
    }
    (void)split_message(text);
    StreamFramer whole, parts;
    whole.receive(text);
    parts.receive(text.substr(0, size / 2));
    bool second = false;
    for (;;) {
        const auto one = whole.poll();
        const auto expected = one && *one ? join_message((*one)->cookie, (*one)->document) : "";
        auto other = parts.poll();
        if (other && !*other && !second) {
            second = true;
            parts.receive(text.substr(size / 2));
            other = parts.poll();
        }
        if (!one || !other) break;
        const auto found = *other ? join_message((*other)->cookie, (*other)->document) : "";
        if (found != expected) std::abort();
        if (!*one) break;
    }
    return 0;
}
