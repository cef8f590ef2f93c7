#include "media/disk.hpp"

#include <stdexcept>

#include "base/bytes.hpp"
#include "media/audio_file.hpp"

namespace strowger::media {

Disk::Disk(std::size_t cache_bytes) : cache_bytes_(cache_bytes) {
    if (const auto added = poller_.add(mailbox_.fd(), 0); !added)
        throw std::runtime_error(added.error().text());
    thread_ = std::thread([this] { run(); });
}

Disk::~Disk() {
    post([](Disk& disk) { disk.stopping_ = true; });
    thread_.join();
}

void Disk::run() {
    while (!stopping_) {
        poller_.wait(Duration::max());
        mailbox_.acknowledge();
        while (auto work = mailbox_.take()) (*work)(*this);
    }
}

Result<std::shared_ptr<const Sound>> Disk::load(const std::string& path) {
    std::error_code error;
    const auto changed = std::filesystem::last_write_time(path, error);
    if (error) return fail("{}: cannot be played: {}", path, error.message());
    const auto file_size = std::filesystem::file_size(path, error);
    if (error) return fail("{}: cannot be played: {}", path, error.message());

    if (const auto known = by_path_.find(path); known != by_path_.end()) {
        const auto entry = known->second;
        if (entry->changed == changed && entry->file_size == file_size) {
            entries_.splice(entries_.begin(), entries_, entry);
            return entry->sound;
        }
        cached_bytes_ -= entry->sound->size() * sizeof(Sample);
        entries_.erase(entry);
        by_path_.erase(known);
    }

    auto file = AudioFile::open(path);
    if (!file) return std::unexpected(file.error());
    if (file->length() > max_length)
        return fail("{}: lasts {:.0f} s, at most {:.0f} s can be played", path,
                    seconds(file->length()), seconds(max_length));
    auto sound = std::make_shared<Sound>();
    constexpr std::size_t chunk = 65536;
    const auto limit = static_cast<std::size_t>(seconds(max_length) * 8000);
    std::size_t size = 0;
    while (size < limit) {
        sound->resize(size + chunk);
        const std::size_t got = file->read(std::span(*sound).subspan(size));
        size += got;
        if (got < chunk) break;
    }
    sound->resize(size);
    sound->shrink_to_fit();
    if (file->failed()) return fail("{}: read error", path);

    entries_.push_front({path, changed, file_size, sound});
    by_path_[path] = entries_.begin();
    cached_bytes_ += size * sizeof(Sample);
    trim();
    return sound;
}

void Disk::trim() {
    while (cached_bytes_ > cache_bytes_ && entries_.size() > 1) {
        const Entry& oldest = entries_.back();
        cached_bytes_ -= oldest.sound->size() * sizeof(Sample);
        by_path_.erase(oldest.path);
        entries_.pop_back();
    }
}

}  // namespace strowger::media
