#include "wire/zip/zip.hpp"

#include <zlib.h>

#include <algorithm>

namespace strowger::zip {

namespace {

// Signatures and lengths of the fixed parts: APPNOTE sections 4.3.7, 4.3.12 and 4.3.16.
constexpr std::uint32_t local_mark = 0x04034b50, entry_mark = 0x02014b50, end_mark = 0x06054b50;
constexpr std::size_t local_size = 30, entry_size = 46, end_size = 22;
constexpr std::size_t longest_comment = 0xffff;
constexpr std::uint16_t stored = 0, deflated = 8;
constexpr std::uint16_t encrypted = 0x0001;   // of the flags
constexpr std::uint16_t utf8_names = 0x0800;  // of the flags
constexpr std::uint16_t version = 20;         // 2.0
constexpr std::uint16_t first_day = 0x0021;   // 1 January 1980, the first that there is

std::uint16_t get16(std::string_view bytes, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[at + i]); };
    return static_cast<std::uint16_t>(byte(0) | byte(1) << 8);
}
std::uint32_t get32(std::string_view bytes, std::size_t at) {
    return get16(bytes, at) | std::uint32_t{get16(bytes, at + 2)} << 16;
}
void put16(std::string& out, std::uint32_t value) {
    out.push_back(static_cast<char>(value));
    out.push_back(static_cast<char>(value >> 8));
}
void put32(std::string& out, std::uint32_t value) {
    put16(out, value);
    put16(out, value >> 16);
}

std::uint32_t checksum(std::string_view bytes) {
    return static_cast<std::uint32_t>(
        crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

Result<std::string> unpack(std::string_view packed, std::size_t size) {
    std::string out(size, '\0');
    z_stream stream{};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return fail("zlib cannot begin");
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int done = inflate(&stream, Z_FINISH);
    const auto left = stream.avail_out;
    inflateEnd(&stream);
    if (done != Z_STREAM_END || left != 0) return fail("a packed file does not unpack to its size");
    return out;
}

Result<std::size_t> find_end(std::string_view archive) {
    if (archive.size() < end_size) return fail("{} bytes are no ZIP archive", archive.size());
    const auto last = archive.size() - end_size;
    const auto first = last > longest_comment ? last - longest_comment : 0;
    for (auto at = last + 1; at-- > first;)
        if (get32(archive, at) == end_mark) return at;
    return fail("a ZIP archive without its directory");
}

void put_facts(std::string& out, const File& file) {
    put16(out, version);
    put16(out, utf8_names);
    put16(out, stored);
    put16(out, 0);
    put16(out, first_day);
    put32(out, checksum(file.bytes));
    put32(out, static_cast<std::uint32_t>(file.bytes.size()));
    put32(out, static_cast<std::uint32_t>(file.bytes.size()));
    put16(out, static_cast<std::uint32_t>(file.name.size()));
    put16(out, 0);  // no extra field
}

}  // namespace

Result<std::vector<File>> read(std::string_view archive, std::size_t limit) {
    const auto end = find_end(archive);
    if (!end) return std::unexpected(end.error());
    const std::size_t count = get16(archive, *end + 10);
    std::size_t at = get32(archive, *end + 16), total = 0;
    if (count > max_files) return fail("an archive of {} files; at most {}", count, max_files);
    std::vector<File> files;
    for (std::size_t i = 0; i < count; ++i) {
        if (at > archive.size() || archive.size() - at < entry_size ||
            get32(archive, at) != entry_mark)
            return fail("entry {} of a ZIP archive is cut short", i);
        const auto flags = get16(archive, at + 8), method = get16(archive, at + 10);
        const std::size_t packed = get32(archive, at + 20), size = get32(archive, at + 24);
        const std::size_t name_length = get16(archive, at + 28);
        const std::size_t more = std::size_t{get16(archive, at + 30)} + get16(archive, at + 32);
        const std::size_t local = get32(archive, at + 42);
        const auto sum = get32(archive, at + 16);
        if (archive.size() - at - entry_size < name_length + more || name_length > max_name)
            return fail("entry {} of a ZIP archive is cut short", i);
        const auto name = archive.substr(at + entry_size, name_length);
        at += entry_size + name_length + more;
        if (name.ends_with('/')) continue;
        if (flags & encrypted) return fail("'{}' is encrypted", name);
        total += size;
        if (total > limit) return fail("an archive of more than {} bytes", limit);
        if (local > archive.size() || archive.size() - local < local_size ||
            get32(archive, local) != local_mark)
            return fail("'{}' lies outside of its archive", name);
        const std::size_t begin =
            local + local_size + get16(archive, local + 26) + get16(archive, local + 28);
        if (begin > archive.size() || archive.size() - begin < packed)
            return fail("'{}' lies outside of its archive", name);
        const auto content = archive.substr(begin, packed);
        File file{std::string(name), {}};
        if (method == stored && packed == size) {
            file.bytes = std::string(content);
        } else if (method == deflated) {
            auto unpacked = unpack(content, size);
            if (!unpacked) return std::unexpected(unpacked.error().within(name));
            file.bytes = std::move(*unpacked);
        } else {
            return fail("'{}' is packed by method {}; 0 and 8 are known", name, method);
        }
        if (checksum(file.bytes) != sum) return fail("'{}' has another checksum", name);
        files.push_back(std::move(file));
    }
    return files;
}

std::string write(const std::vector<File>& files) {
    std::string out, directory;
    for (const auto& file : files) {
        const auto place = static_cast<std::uint32_t>(out.size());
        put32(out, local_mark);
        put_facts(out, file);
        out += file.name;
        out += file.bytes;
        put32(directory, entry_mark);
        put16(directory, version);
        put_facts(directory, file);
        put16(directory, 0);  // no comment
        put16(directory, 0);  // the first part
        put16(directory, 0);
        put32(directory, 0);
        put32(directory, place);
        directory += file.name;
    }
    const auto begin = static_cast<std::uint32_t>(out.size());
    const auto count = static_cast<std::uint32_t>(files.size());
    out += directory;
    put32(out, end_mark);
    put32(out, 0);  // the only part
    put16(out, count);
    put16(out, count);
    put32(out, static_cast<std::uint32_t>(directory.size()));
    put32(out, begin);
    put16(out, 0);  // no comment
    return out;
}

}  // namespace strowger::zip
