#include "wire/connect/gzip.hpp"

#include <zlib.h>

#include <algorithm>

namespace strowger::connect {

namespace {

// zlib's way to say: the largest window, and gzip's header and checksum.
constexpr int gzip_window = 15 + 16;
constexpr std::size_t chunk = 64 << 10;

struct Inflating {
    z_stream stream{};
    bool begun = inflateInit2(&stream, gzip_window) == Z_OK;
    ~Inflating() {
        if (begun) inflateEnd(&stream);
    }
};

}  // namespace

Result<std::string> gunzip(std::string_view packed, std::size_t limit) {
    Inflating inflating;
    if (!inflating.begun) return fail("gzip: no memory");
    auto& stream = inflating.stream;
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    std::string out;
    int status = Z_OK;
    while (status == Z_OK) {
        const auto before = out.size();
        if (before >= limit) return fail("gzip: more than {} bytes unpacked", limit);
        out.resize(std::min(limit, before + chunk));
        stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
        stream.avail_out = static_cast<uInt>(out.size() - before);
        status = inflate(&stream, Z_NO_FLUSH);
        out.resize(out.size() - stream.avail_out);
    }
    if (status != Z_STREAM_END)
        return fail("gzip: broken after {} of {} bytes", stream.total_in, packed.size());
    return out;
}

std::string gzip(std::string_view bytes) {
    z_stream stream{};
    if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return {};
    std::string out(deflateBound(&stream, bytes.size()), '\0');
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

}  // namespace strowger::connect
