#include "io/raw_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace strowger::io {

std::unexpected<Error> RawFile::failed(const char* what) const {
    const int code = errno;
    return fail_with(code, "{}: {}: {}", path_, what, std::strerror(code));
}

Result<RawFile> RawFile::create(const std::string& path, unsigned mode) {
    RawFile file;
    file.path_ = path;
    file.fd_ = Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (!file.fd_.valid()) return file.failed("cannot write");
    return file;
}

Result<RawFile> RawFile::open(const std::string& path) {
    RawFile file;
    file.path_ = path;
    file.fd_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.fd_.valid()) return file.failed("cannot read");
    return file;
}

Result<std::size_t> RawFile::read_at(std::uint64_t offset, std::span<std::uint8_t> out) const {
    std::size_t done = 0;
    while (done < out.size()) {
        const auto got = ::pread(fd_.get(), out.data() + done, out.size() - done,
                                 static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed("cannot read");
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

RawFile::Wrote RawFile::write_at(std::uint64_t offset, Bytes bytes) const {
    Wrote wrote;
    while (wrote.size < bytes.size()) {
        const auto got = ::pwrite(fd_.get(), bytes.data() + wrote.size, bytes.size() - wrote.size,
                                  static_cast<off_t>(offset + wrote.size));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            wrote.error = got < 0 ? errno : ENOSPC;
            break;
        }
        wrote.size += static_cast<std::size_t>(got);
    }
    return wrote;
}

Result<> RawFile::sync() const {
    if (::fdatasync(fd_.get()) != 0) return failed("cannot write");
    return {};
}

Result<> RawFile::set_size(std::uint64_t size) const {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return failed("cannot set size");
    return {};
}

Result<> RawFile::set_mode(unsigned mode) const {
    if (::fchmod(fd_.get(), mode) != 0) return failed("cannot set mode");
    return {};
}

Result<> RawFile::set_owner(unsigned user, unsigned group) const {
    if (::fchown(fd_.get(), user, group) != 0) return failed("cannot set owner");
    return {};
}

bool RawFile::lock() const { return ::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0; }

bool RawFile::unlocked() const {
    if (::flock(fd_.get(), LOCK_SH | LOCK_NB) != 0) return false;
    (void)::flock(fd_.get(), LOCK_UN);
    return true;
}

}  // namespace strowger::io
