#include "wire/bolt/bolt.hpp"

#include <bit>
#include <optional>
#include <vector>

namespace strowger::bolt {

namespace {

constexpr std::uint32_t magic = 0xED0CDAED, version = 2;
constexpr std::size_t page_header = 16, element_size = 16, bucket_header = 16;
constexpr std::size_t meta_size = 64, checksum_at = 56;
constexpr std::uint16_t branch_page = 0x01, leaf_page = 0x02;
constexpr std::uint32_t bucket_element = 0x01;
constexpr std::uint64_t smallest_page = 1024, largest_page = 64 << 10;

std::uint64_t number(Bytes b, std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8U | b[at + i];
    return value;
}
std::uint16_t u16(Bytes b, std::size_t at) { return static_cast<std::uint16_t>(number(b, at, 2)); }
std::uint32_t u32(Bytes b, std::size_t at) { return static_cast<std::uint32_t>(number(b, at, 4)); }
std::uint64_t u64(Bytes b, std::size_t at) { return number(b, at, 8); }

// FNV-1a, 64 bits.
std::uint64_t checksum(Bytes bytes) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const auto byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
    return hash;
}

struct Meta {
    std::uint64_t page_size = 0, root = 0, transaction = 0;
};

std::optional<Meta> meta_of(Bytes page) {
    const auto meta = page.subspan(page_header);
    if (u32(meta, 0) != magic || u32(meta, 4) != version) return std::nullopt;
    if (u64(meta, checksum_at) != checksum(meta.first(checksum_at))) return std::nullopt;
    const std::uint64_t page_size = u32(meta, 8);
    if (!std::has_single_bit(page_size) || page_size < smallest_page || page_size > largest_page)
        return std::nullopt;
    return Meta{page_size, u64(meta, 16), u64(meta, 48)};
}

class Reader {
public:
    Reader(std::uint64_t size, const ReadAt& read_at, const Visit& visit)
        : size_(size), read_at_(read_at), visit_(visit) {}

    Result<> read() {
        std::optional<Meta> last;
        const auto consider = [&](std::uint64_t offset) -> Result<> {
            const auto bytes = bytes_at(offset, page_header + meta_size);
            if (!bytes) return std::unexpected(bytes.error());
            const auto meta = meta_of(*bytes);
            if (meta && (!last || meta->transaction > last->transaction)) last = meta;
            return {};
        };
        // Two of them take turns, in the first pages; how large a page is they say themselves.
        for (std::uint64_t offset = 0; offset <= largest_page;
             offset = offset ? offset * 2 : smallest_page)
            if (offset + page_header + meta_size <= size_)
                if (auto considered = consider(offset); !considered) return considered;
        if (!last) return fail("no Bolt database, or its first pages are damaged");
        page_size_ = last->page_size;
        return walk(last->root, 0);
    }

private:
    using Buffer = std::vector<std::uint8_t>;

    Result<Buffer> bytes_at(std::uint64_t offset, std::size_t size) const {
        Buffer bytes(size);
        const auto got = read_at_(offset, bytes);
        if (!got) return std::unexpected(got.error());
        if (*got < size) return fail("ends within what begins at byte {}", offset);
        return bytes;
    }

    Result<> walk(std::uint64_t id, std::size_t depth) {
        if (id >= size_ / page_size_) return fail("page {} is beyond the end", id);
        auto header = bytes_at(id * page_size_, page_header);
        if (!header) return std::unexpected(header.error());
        if (u64(*header, 0) != id) return fail("page {} says that it is {}", id, u64(*header, 0));
        const std::uint64_t pages = std::uint64_t{u32(*header, 12)} + 1;
        if (pages > size_ / page_size_ - id || pages * page_size_ > max_page)
            return fail("page {} overflows into {} others, beyond the end", id, pages - 1);
        // A tree has each page once.
        seen_ += pages;
        if (seen_ > size_ / page_size_) return fail("page {} is in the tree twice", id);
        std::vector<std::uint64_t> children;
        {
            const auto page = bytes_at(id * page_size_, pages * page_size_);
            if (!page) return std::unexpected(page.error());
            if (auto done = elements(*page, id, depth, children); !done) return done;
        }
        for (const auto child : children)
            if (auto done = walk(child, depth + 1); !done) return done;
        return {};
    }

    // Of a page, or of the small bucket that is a value in one; `id` is for errors.
    Result<> elements(Bytes page, std::uint64_t id, std::size_t depth,
                      std::vector<std::uint64_t>& children) {
        if (depth >= max_depth) return fail("page {} is deeper than {}", id, max_depth);
        const auto flags = u16(page, 8);
        const std::size_t count = u16(page, 10);
        if (flags != branch_page && flags != leaf_page)
            return fail("page {} is neither branch nor leaf", id);
        if (page_header + count * element_size > page.size())
            return fail("page {} has no room for {} elements", id, count);
        for (std::size_t i = 0; i < count; ++i) {
            const auto at = page_header + i * element_size;
            if (flags == branch_page) {
                children.push_back(u64(page, at + 8));
                continue;
            }
            const std::uint64_t place = at + std::uint64_t{u32(page, at + 4)};
            const std::uint64_t key_size = u32(page, at + 8), value_size = u32(page, at + 12);
            if (place + key_size + value_size > page.size())
                return fail("element {} of page {} ends outside of it", i, id);
            // Each once, and once more as part of a bucket that is a value.
            held_ += key_size + value_size;
            if (held_ > 2 * size_) return fail("elements of page {} share bytes", id);
            const auto key = page.subspan(place, key_size);
            const auto value = page.subspan(place + key_size, value_size);
            if (u32(page, at) & bucket_element) {
                if (auto done = bucket(value, id, depth, children); !done) return done;
            } else {
                visit_(as_text(key), as_text(value));
            }
        }
        return {};
    }

    Result<> bucket(Bytes value, std::uint64_t id, std::size_t depth,
                    std::vector<std::uint64_t>& children) {
        if (value.size() < bucket_header) return fail("a bucket on page {} has no header", id);
        if (const auto root = u64(value, 0)) {
            children.push_back(root);
            return {};
        }
        const auto page = value.subspan(bucket_header);
        if (page.size() < page_header) return fail("a bucket on page {} has no page", id);
        return elements(page, id, depth + 1, children);
    }

    std::uint64_t size_;
    const ReadAt& read_at_;
    const Visit& visit_;
    std::uint64_t page_size_ = 0, seen_ = 0, held_ = 0;
};

}  // namespace

Result<> read(std::uint64_t size, const ReadAt& read_at, const Visit& visit) {
    return Reader(size, read_at, visit).read();
}

}  // namespace strowger::bolt
