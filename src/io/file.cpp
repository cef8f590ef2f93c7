#include "io/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "io/descriptor.hpp"

namespace strowger::io {

namespace {

std::unexpected<Error> failed(const std::string& path, const char* what, int code) {
    return fail_with(code, "{}: {}: {}", path, what, std::strerror(code));
}

std::string directory_of(const std::string& path) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

Result<> write_all(int fd, const std::string& path, std::string_view content) {
    while (!content.empty()) {
        const ssize_t wrote = ::write(fd, content.data(), content.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return failed(path, "write", errno);
        content.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return {};
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return failed(path, "open", errno);
    std::string content;
    struct stat info{};
    if (::fstat(fd.get(), &info) == 0) {
        if (S_ISDIR(info.st_mode)) return failed(path, "read", EISDIR);
        if (info.st_size > 0)
            content.reserve(std::min(limit, static_cast<std::size_t>(info.st_size)) + 1);
    }
    std::array<char, 64 << 10> buffer;
    for (;;) {
        const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed(path, "read", errno);
        if (got == 0) return content;
        if (content.size() + static_cast<std::size_t>(got) > limit)
            return fail_with(EFBIG, "{}: larger than the {} bytes that are read", path, limit);
        content.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

Result<> replace_file(const std::string& path, std::string_view content, unsigned mode) {
    static std::atomic<unsigned> serial{0};
    const auto temporary = fmt::format("{}.{}.{}.new", path, getpid(), serial.fetch_add(1));
    Descriptor fd(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!fd.valid()) return failed(temporary, "create", errno);
    auto result = [&]() -> Result<> {
        if (auto ok = write_all(fd.get(), temporary, content); !ok) return ok;
        if (::fsync(fd.get()) != 0) return failed(temporary, "fsync", errno);
        if (::rename(temporary.c_str(), path.c_str()) != 0) return failed(path, "rename", errno);
        return {};
    }();
    if (!result) {
        ::unlink(temporary.c_str());
        return result;
    }
    const Descriptor directory(
        ::open(directory_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.valid() && ::fsync(directory.get()) != 0)
        return failed(directory_of(path), "fsync", errno);
    return {};
}

Result<> append_file(const std::string& path, std::string_view content, unsigned mode) {
    const Descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, mode));
    if (!fd.valid()) return failed(path, "open", errno);
    return write_all(fd.get(), path, content);
}

Result<> remove_file(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed(path, "unlink", errno);
    return {};
}

Result<> rename_file(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return failed(from, "rename", errno);
    return {};
}

Result<> set_modified(const std::string& path, WallTime when) {
    const auto whole = std::chrono::floor<std::chrono::seconds>(when);
    timespec times[2]{};
    times[0].tv_nsec = UTIME_OMIT;  // of reading
    times[1].tv_sec = whole.time_since_epoch().count();
    times[1].tv_nsec = (when - whole).count();
    if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) return failed(path, "utimensat", errno);
    return {};
}

Result<> make_directories(const std::string& path, unsigned mode) {
    for (std::size_t at = 1; at <= path.size(); ++at) {
        if (at < path.size() && path[at] != '/') continue;
        const auto part = path.substr(0, at);
        if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST)
            return failed(part, "mkdir", errno);
    }
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return failed(path, "stat", errno);
    if (!S_ISDIR(info.st_mode)) return failed(path, "mkdir", ENOTDIR);
    return {};
}

bool file_exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Result<FileInfo> file_info(const std::string& path) {
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return failed(path, "stat", errno);
    return FileInfo{static_cast<std::size_t>(info.st_size),
                    WallTime{std::chrono::seconds{info.st_mtim.tv_sec} +
                             std::chrono::nanoseconds{info.st_mtim.tv_nsec}},
                    S_ISDIR(info.st_mode)};
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory) return failed(path, "opendir", errno);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<std::string> match_files(const std::string& pattern) {
    glob_t found{};
    std::vector<std::string> paths;
    if (::glob(pattern.c_str(), 0, nullptr, &found) == 0)
        paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
    return paths;
}

struct DirectoryWatch::Impl : std::enable_shared_from_this<Impl> {
    Descriptor fd;
    Changed changed;
    bool gone = false;
    std::unique_ptr<Watch> watch;

    void on_readable() {
        const auto keep = shared_from_this();
        alignas(inotify_event) std::array<char, 16 << 10> buffer;
        const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
        for (ssize_t at = 0; at < got && !gone;) {
            const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
            at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
            if (event->mask & IN_Q_OVERFLOW)
                changed(Change::written, "");
            else if (event->len == 0)
                continue;
            else if (event->mask & IN_CLOSE_WRITE)
                changed(Change::written, event->name);
            else if (event->mask & IN_MOVED_TO)
                changed(Change::moved_in, event->name);
            else if (event->mask & (IN_DELETE | IN_MOVED_FROM))
                changed(Change::gone, event->name);
        }
    }
};

DirectoryWatch::DirectoryWatch(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

DirectoryWatch::~DirectoryWatch() {
    impl_->gone = true;
    impl_->watch.reset();
}

Result<std::unique_ptr<DirectoryWatch>> DirectoryWatch::open(Loop& loop, const std::string& path,
                                                             Changed changed) {
    auto impl = std::make_shared<Impl>();
    impl->fd = Descriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!impl->fd.valid()) return failed(path, "inotify", errno);
    const auto mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR;
    if (::inotify_add_watch(impl->fd.get(), path.c_str(), mask) < 0)
        return failed(path, "inotify", errno);
    impl->changed = std::move(changed);
    impl->watch = std::make_unique<Watch>(loop, impl->fd.get());
    impl->watch->on_readable([raw = impl.get()] { raw->on_readable(); });
    return std::unique_ptr<DirectoryWatch>(new DirectoryWatch(std::move(impl)));
}

}  // namespace strowger::io
