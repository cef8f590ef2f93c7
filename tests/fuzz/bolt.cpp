// A database of the reference's that somebody may have made. The checksum of the pages that name
// the tree is mended, so that what lies behind it is reached.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "wire/bolt/bolt.hpp"

namespace {

constexpr std::size_t header = 16, checked = 56;

void mend(std::string& database, std::size_t page) {
    if (page + header + checked + 8 > database.size()) return;
    std::uint64_t hash = 0xcbf29ce484222325;
    for (std::size_t i = 0; i < checked; ++i)
        hash = (hash ^ static_cast<std::uint8_t>(database[page + header + i])) * 0x100000001b3;
    for (std::size_t i = 0; i < 8; ++i)
        database[page + header + checked + i] = static_cast<char>(hash >> (8 * i));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger;
    std::string database(as_text(Bytes(data, size)));
    mend(database, 0);
    for (std::size_t page = 1024; page <= 4096; page *= 2) mend(database, page);
    std::size_t visited = 0;
    (void)bolt::read(
        database.size(),
        [&](std::uint64_t offset, MutableBytes out) -> Result<std::size_t> {
            if (offset >= database.size()) return 0;
            const auto rest = as_bytes(std::string_view(database).substr(offset));
            const auto count = std::min(rest.size(), out.size());
            std::ranges::copy(rest.first(count), out.begin());
            return count;
        },
        [&](std::string_view key, std::string_view value) {
            visited += key.size() + value.size();
        });
    // Twice: what a small bucket holds is counted with the bucket as well.
    if (visited > 2 * database.size()) std::abort();
    return 0;
}
