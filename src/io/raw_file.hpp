#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "io/descriptor.hpp"

namespace strowger::io {

/// A file without buffer, read and written at offsets: what one process appends and another
/// follows, and what must say how far it came when the disk is full. Blocks for as long as the disk
/// takes.
class RawFile {
public:
    /// For reading and writing; what was there is gone.
    static Result<RawFile> create(const std::string& path, unsigned mode);
    /// For reading.
    static Result<RawFile> open(const std::string& path);

    RawFile() = default;  ///< none

    /// How many bytes there were; fewer than asked only at the end of the file.
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> out) const;

    struct Wrote {
        std::size_t size = 0;
        int error = 0;  ///< errno of what kept the rest from being written; 0: it was all
    };
    Wrote write_at(std::uint64_t offset, Bytes bytes) const;
    Result<> sync() const;  ///< to the disk itself
    Result<> set_size(std::uint64_t size) const;
    Result<> set_mode(unsigned mode) const;
    Result<> set_owner(unsigned user, unsigned group) const;  ///< ~0: stays

    /// Takes the lock that says: somebody writes this. It goes with the process, however it ends.
    bool lock() const;
    /// Whether nobody has that lock.
    bool unlocked() const;

    bool is_open() const { return fd_.valid(); }
    void close() { fd_.reset(); }
    const std::string& path() const { return path_; }

private:
    std::unexpected<Error> failed(const char* what) const;

    Descriptor fd_;
    std::string path_;
};

}  // namespace strowger::io
