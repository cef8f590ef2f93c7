#include "recorder/output.hpp"

#include <fmt/format.h>

#include <cstring>
#include <filesystem>

#include "io/file.hpp"

namespace strowger::recorder {
namespace {

// Tries of names beside one that is taken.
constexpr int max_twins = 10'000;

std::string free_path(const std::string& path, const std::string& extension) {
    std::string free = path + extension;
    for (int i = 2; i < max_twins && io::file_exists(free); ++i)
        free = fmt::format("{}-{}{}", path, i, extension);
    return free;
}

}  // namespace

Result<std::unique_ptr<Output>> Output::open(const Settings& settings, const std::string& path,
                                             const std::string& key, std::uint32_t rate,
                                             unsigned channels) {
    std::unique_ptr<Output> output(new Output(settings, rate, channels));
    auto encoder = make_encoder(settings, rate, channels);
    if (!encoder) return std::unexpected(encoder.error());
    output->encoder_ = std::move(*encoder);
    output->path_ = path;
    output->extension_ = settings.format == Format::mp3 ? ".mp3" : ".wav";
    const auto folder = std::filesystem::path(path).parent_path().string();
    if (auto made = io::make_directories(folder, settings.directory_mode); !made)
        return std::unexpected(made.error());
    auto file = io::RawFile::create(fmt::format("{}/.{}{}.part", folder, key, output->extension_),
                                    settings.mode);
    if (!file) return std::unexpected(file.error());
    output->file_ = std::move(*file);
    output->waiting_ = output->encoder_->head(0);
    return output;
}

void Output::write(std::span<const Sample> samples) {
    frames_ += samples.size() / channels_;
    encoder_->encode(samples, waiting_);
}

bool Output::flush() {
    if (!waiting_.empty()) {
        const auto wrote = file_.write_at(size_, waiting_);
        size_ += wrote.size;
        waiting_.erase(waiting_.begin(),
                       waiting_.begin() + static_cast<std::ptrdiff_t>(wrote.size));
        if (!write_head()) return false;
        if (wrote.error != 0) {
            trouble_ = std::strerror(wrote.error);
            return false;
        }
    }
    trouble_.clear();
    return true;
}

bool Output::write_head() {
    const auto head = encoder_->head(size_);
    if (head.empty() || size_ < head.size()) return true;
    const auto wrote = file_.write_at(0, head);
    if (wrote.error != 0) trouble_ = std::strerror(wrote.error);
    return wrote.error == 0;
}

void Output::finish() { encoder_->finish(waiting_); }

Result<std::string> Output::keep() {
    // Failing here costs nothing: the file is as whole as before.
    (void)write_head();
    auto done = file_.set_mode(settings_.mode);
    if (done && (settings_.user != ~0U || settings_.group != ~0U))
        done = file_.set_owner(settings_.user, settings_.group);
    if (done) done = file_.sync();
    const auto path = free_path(path_, extension_);
    if (done) done = io::rename_file(file_.path(), path);
    file_.close();
    if (!done) return std::unexpected(done.error());
    return path;
}

void Output::discard() {
    (void)io::remove_file(file_.path());
    file_.close();
}

}  // namespace strowger::recorder
