#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace strowger::io {

/// A file that is read or written piece by piece, through a buffer: sound. Blocks for as long as
/// the disk takes; errors name the file and carry errno.
class OpenFile {
public:
    enum class Mode {
        read,    ///< what exists
        create,  ///< for writing; what was there is gone
        update,  ///< what exists, for reading and writing
    };
    static Result<OpenFile> open(const std::string& path, Mode mode);

    OpenFile() = default;  ///< none

    /// How many bytes there were; fewer than asked only at the end of the file.
    Result<std::size_t> read(std::span<std::uint8_t> out);
    Result<> write(Bytes bytes);
    Result<> seek(std::uint64_t offset);  ///< from the start; also between reading and writing
    Result<> flush();                     ///< out of the buffer, to the system
    Result<> close();                     ///< the destructor does it too, but cannot report
    Result<std::uint64_t> size();

    bool is_open() const { return file_ != nullptr; }
    const std::string& path() const { return path_; }

private:
    struct Closer {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::unexpected<Error> failed(const char* what) const;

    std::unique_ptr<std::FILE, Closer> file_;
    std::string path_;
};

}  // namespace strowger::io
