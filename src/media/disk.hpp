#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "io/mailbox.hpp"
#include "io/poller.hpp"
#include "media/player.hpp"

namespace strowger::media {

/// The thread that may wait for the disk: reads what is to be played, writes what is recorded.
class Disk {
public:
    using Work = std::move_only_function<void(Disk&)>;

    /// Decoded prompts and music are kept up to this many bytes, the longest unused go first.
    explicit Disk(std::size_t cache_bytes);
    ~Disk();  ///< after all work that was posted

    /// From any thread; done one after the other.
    void post(Work work) { mailbox_.post(std::move(work)); }

    // From here on: on the disk's thread.

    // 57 MB as samples. Longer ones belong in several files.
    static constexpr Duration max_length = std::chrono::hours{1};
    /// The whole file, from the cache if it has not changed since.
    Result<std::shared_ptr<const Sound>> load(const std::string& path);

private:
    struct Entry {
        std::string path;
        std::filesystem::file_time_type changed;
        std::uintmax_t file_size;
        std::shared_ptr<const Sound> sound;
    };

    void run();
    void trim();

    const std::size_t cache_bytes_;
    std::size_t cached_bytes_ = 0;
    std::list<Entry> entries_;  // most recently used first
    std::unordered_map<std::string, std::list<Entry>::iterator> by_path_;

    io::Mailbox<Work> mailbox_;
    io::Poller poller_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace strowger::media
