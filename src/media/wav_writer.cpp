#include "media/wav_writer.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "media/audio_file.hpp"

namespace strowger::media {

namespace {

constexpr std::size_t head_size = 44;
constexpr std::uint64_t bytes_per_second = 16000;

void put32(std::uint8_t* out, std::uint64_t value) {
    for (int i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(value >> 8 * i);
}

std::array<std::uint8_t, head_size> empty_head() {
    std::array<std::uint8_t, head_size> head{};
    std::memcpy(head.data(), "RIFF\0\0\0\0WAVEfmt ", 16);
    constexpr std::array<std::uint8_t, 20> format{16, 0, 0,    0,    1, 0, 1, 0, 0x40, 0x1f,
                                                  0,  0, 0x80, 0x3e, 0, 0, 2, 0, 16,   0};
    std::ranges::copy(format, head.begin() + 16);
    std::memcpy(head.data() + 36, "data", 4);
    put32(head.data() + 4, head_size - 8);
    return head;
}

}  // namespace

Result<WavWriter> WavWriter::open(const std::filesystem::path& path, bool append) {
    WavWriter writer;
    writer.path_ = path.string();
    const bool carry_on = append && std::filesystem::exists(path);
    writer.file_.reset(std::fopen(writer.path_.c_str(), carry_on ? "r+b" : "w+b"));
    if (!writer.file_) return fail("{}: cannot write: {}", writer.path_, std::strerror(errno));
    std::FILE* const file = writer.file_.get();
    if (!carry_on) {
        const auto head = empty_head();
        if (std::fwrite(head.data(), 1, head.size(), file) != head.size() ||
            std::fflush(file) != 0) {
            return fail("{}: cannot write: {}", writer.path_, std::strerror(errno));
        }
        return writer;
    }
    std::vector<std::uint8_t> head(WavHeader::max_head);
    head.resize(std::fread(head.data(), 1, head.size(), file));
    const auto format = WavHeader::parse(head);
    if (!format) return std::unexpected(format.error().within(writer.path_));
    if (format->encoding != Encoding::pcm16 || format->rate != 8000 || format->channels != 1) {
        return fail("{}: cannot be appended to: expected 16-bit PCM, 8000 Hz, mono", writer.path_);
    }
    if (std::fseek(file, 0, SEEK_END) != 0) {
        return fail("{}: cannot seek: {}", writer.path_, std::strerror(errno));
    }
    const auto size = static_cast<std::uint64_t>(std::ftell(file));
    writer.data_offset_ = format->data_offset;
    writer.data_size_ = std::min(size - std::min(size, format->data_offset), max_data) & ~1ULL;
    // What follows the declared data is other chunks: speech goes in their place.
    if (format->data_size != 0 && format->data_size < 0xffffffffU) {
        writer.data_size_ = std::min<std::uint64_t>(writer.data_size_, format->data_size & ~1ULL);
    }
    writer.patched_size_ = writer.data_size_;
    if (std::fseek(file, static_cast<long>(writer.data_offset_ + writer.data_size_), SEEK_SET) !=
        0) {
        return fail("{}: cannot seek: {}", writer.path_, std::strerror(errno));
    }
    return writer;
}

Result<> WavWriter::write(std::span<const Sample> samples) {
    if (!file_) return fail("{}: written to after it was closed", path_);
    if (data_size_ + samples.size() * 2 > max_data) {
        return fail("{}: reached the {} bytes that a WAV file can hold", path_, max_data);
    }
    std::array<std::uint8_t, 1024> block;
    while (!samples.empty()) {
        const auto count = std::min(samples.size(), block.size() / 2);
        for (std::size_t i = 0; i < count; ++i) {
            block[i * 2] = static_cast<std::uint8_t>(samples[i]);
            block[i * 2 + 1] = static_cast<std::uint8_t>(samples[i] >> 8);
        }
        if (std::fwrite(block.data(), 2, count, file_.get()) != count) {
            return fail("{}: cannot write: {}", path_, std::strerror(errno));
        }
        data_size_ += count * 2;
        samples = samples.subspan(count);
    }
    return data_size_ - patched_size_ >= bytes_per_second ? patch_head() : Result<>{};
}

Result<> WavWriter::close() {
    if (!file_) return {};
    auto patched = patch_head();
    if (std::fclose(file_.release()) != 0 && patched) {
        return fail("{}: cannot write: {}", path_, std::strerror(errno));
    }
    return patched;
}

WavWriter& WavWriter::operator=(WavWriter&& other) noexcept {
    if (this != &other) {
        (void)close();
        file_ = std::move(other.file_);
        path_ = std::move(other.path_);
        data_offset_ = other.data_offset_;
        data_size_ = other.data_size_;
        patched_size_ = other.patched_size_;
    }
    return *this;
}

WavWriter::~WavWriter() { (void)close(); }

Result<> WavWriter::patch_head() {
    std::FILE* const file = file_.get();
    std::array<std::uint8_t, 4> riff{}, data{};
    put32(riff.data(), data_offset_ - 8 + data_size_);
    put32(data.data(), data_size_);
    const auto store = [&](std::uint64_t at, std::span<const std::uint8_t> bytes) {
        return std::fseek(file, static_cast<long>(at), SEEK_SET) == 0 &&
               std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
    };
    if (!store(4, riff) || !store(data_offset_ - 4, data) ||
        std::fseek(file, static_cast<long>(data_offset_ + data_size_), SEEK_SET) != 0 ||
        std::fflush(file) != 0) {
        return fail("{}: cannot bring the sizes up to date: {}", path_, std::strerror(errno));
    }
    patched_size_ = data_size_;
    return {};
}

}  // namespace strowger::media
