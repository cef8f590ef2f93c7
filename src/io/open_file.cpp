#include "io/open_file.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace strowger::io {

namespace {

const char* stdio_mode(OpenFile::Mode mode) {
    switch (mode) {
        case OpenFile::Mode::create: return "w+be";
        case OpenFile::Mode::update: return "r+be";
        default: return "rbe";
    }
}

}  // namespace

std::unexpected<Error> OpenFile::failed(const char* what) const {
    const int code = errno;
    return fail_with(code, "{}: {}: {}", path_, what, std::strerror(code));
}

Result<OpenFile> OpenFile::open(const std::string& path, Mode mode) {
    OpenFile file;
    file.path_ = path;
    file.file_.reset(std::fopen(path.c_str(), stdio_mode(mode)));
    if (!file.file_) return file.failed(mode == Mode::read ? "cannot read" : "cannot write");
    return file;
}

Result<std::size_t> OpenFile::read(std::span<std::uint8_t> out) {
    const auto count = std::fread(out.data(), 1, out.size(), file_.get());
    if (count < out.size() && std::ferror(file_.get())) return failed("cannot read");
    return count;
}

Result<> OpenFile::write(Bytes bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size())
        return failed("cannot write");
    return {};
}

Result<> OpenFile::seek(std::uint64_t offset) {
    if (fseeko(file_.get(), static_cast<off_t>(offset), SEEK_SET) != 0)
        return failed("cannot seek");
    return {};
}

Result<> OpenFile::flush() {
    if (std::fflush(file_.get()) != 0) return failed("cannot write");
    return {};
}

Result<> OpenFile::close() {
    if (!file_) return {};
    if (std::fclose(file_.release()) != 0) return failed("cannot write");
    return {};
}

Result<std::uint64_t> OpenFile::size() {
    if (const auto flushed = flush(); !flushed) return std::unexpected(flushed.error());
    struct stat about;
    if (fstat(fileno(file_.get()), &about) != 0) return failed("cannot look at it");
    return static_cast<std::uint64_t>(about.st_size);
}

}  // namespace strowger::io
