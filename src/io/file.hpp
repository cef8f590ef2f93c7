#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "io/loop.hpp"

namespace strowger::io {

/// Files, small ones and whole: configuration, sounds, state. Errors carry errno as their code.
/// These block for as long as the disk takes.

constexpr std::size_t default_read_limit = 16 << 20;  ///< above any configuration or prompt

Result<std::string> read_file(const std::string& path, std::size_t limit = default_read_limit);

/// Readers see the old or the new content, whole, even after a crash: written beside it, synced,
/// renamed over it, and the directory synced.
Result<> replace_file(const std::string& path, std::string_view content, unsigned mode = 0644);

Result<> append_file(const std::string& path, std::string_view content, unsigned mode = 0644);
Result<> remove_file(const std::string& path);  ///< a missing one is fine
Result<> rename_file(const std::string& from, const std::string& to);
/// When it counts as changed: spools use the future as an appointment.
Result<> set_modified(const std::string& path, WallTime when);
Result<> make_directories(const std::string& path, unsigned mode = 0755);
bool file_exists(const std::string& path);

struct FileInfo {
    std::size_t size = 0;
    WallTime modified{};
    bool directory = false;
};
Result<FileInfo> file_info(const std::string& path);

/// Names (not paths) in a directory, sorted, without "." and "..".
Result<std::vector<std::string>> list_directory(const std::string& path);
/// Paths that match a shell pattern, sorted; none is an empty list.
std::vector<std::string> match_files(const std::string& pattern);

/// Tells what changes in a directory (inotify): files that were written and closed, moved in, moved
/// out or deleted. Spools wait with it.
class DirectoryWatch {
public:
    enum class Change { written, moved_in, gone };
    using Changed = std::function<void(Change, const std::string& name)>;

    /// After an overflow of the kernel's queue `name` is empty: look at the whole directory.
    static Result<std::unique_ptr<DirectoryWatch>> open(Loop& loop, const std::string& path,
                                                        Changed changed);
    ~DirectoryWatch();

private:
    struct Impl;
    explicit DirectoryWatch(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;  // shared with the callback in progress
};

}  // namespace strowger::io
