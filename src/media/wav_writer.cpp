#include "media/wav_writer.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "io/file.hpp"
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
    const bool carry_on = append && io::file_exists(path.string());
    auto file = io::OpenFile::open(
        path.string(), carry_on ? io::OpenFile::Mode::update : io::OpenFile::Mode::create);
    if (!file) return std::unexpected(file.error());
    WavWriter writer;
    writer.file_ = std::move(*file);
    if (!carry_on) {
        auto begun = writer.file_.write(empty_head());
        if (begun) begun = writer.file_.flush();
        if (!begun) return std::unexpected(begun.error());
        return writer;
    }
    std::vector<std::uint8_t> head(WavHeader::max_head);
    const auto got = writer.file_.read(head);
    if (!got) return std::unexpected(got.error());
    head.resize(*got);
    const auto format = WavHeader::parse(head);
    if (!format) return std::unexpected(format.error().within(path.string()));
    if (format->encoding != Encoding::pcm16 || format->rate != 8000 || format->channels != 1) {
        return fail("{}: cannot be appended to: expected 16-bit PCM, 8000 Hz, mono", path.string());
    }
    const auto size = writer.file_.size();
    if (!size) return std::unexpected(size.error());
    writer.data_offset_ = format->data_offset;
    writer.data_size_ = std::min(*size - std::min(*size, format->data_offset), max_data) & ~1ULL;
    // What follows the declared data is other chunks: speech goes in their place.
    if (format->data_size != 0 && format->data_size < 0xffffffffU) {
        writer.data_size_ = std::min<std::uint64_t>(writer.data_size_, format->data_size & ~1ULL);
    }
    writer.patched_size_ = writer.data_size_;
    if (const auto sought = writer.file_.seek(writer.data_offset_ + writer.data_size_); !sought)
        return std::unexpected(sought.error());
    return writer;
}

Result<> WavWriter::write(std::span<const Sample> samples) {
    if (!file_.is_open()) return fail("{}: written to after it was closed", file_.path());
    if (data_size_ + samples.size() * 2 > max_data) {
        return fail("{}: reached the {} bytes that a WAV file can hold", file_.path(), max_data);
    }
    std::array<std::uint8_t, 1024> block;
    while (!samples.empty()) {
        const auto count = std::min(samples.size(), block.size() / 2);
        for (std::size_t i = 0; i < count; ++i) {
            block[i * 2] = static_cast<std::uint8_t>(samples[i]);
            block[i * 2 + 1] = static_cast<std::uint8_t>(samples[i] >> 8);
        }
        if (const auto written = file_.write(Bytes(block).first(count * 2)); !written)
            return written;
        data_size_ += count * 2;
        samples = samples.subspan(count);
    }
    return data_size_ - patched_size_ >= bytes_per_second ? patch_head() : Result<>{};
}

Result<> WavWriter::close() {
    if (!file_.is_open()) return {};
    const auto patched = patch_head();
    const auto closed = file_.close();
    return patched ? closed : patched;
}

WavWriter& WavWriter::operator=(WavWriter&& other) noexcept {
    if (this != &other) {
        (void)close();
        file_ = std::move(other.file_);
        data_offset_ = other.data_offset_;
        data_size_ = other.data_size_;
        patched_size_ = other.patched_size_;
    }
    return *this;
}

WavWriter::~WavWriter() { (void)close(); }

Result<> WavWriter::patch_head() {
    std::array<std::uint8_t, 4> riff{}, data{};
    put32(riff.data(), data_offset_ - 8 + data_size_);
    put32(data.data(), data_size_);
    auto done = file_.seek(4);
    if (done) done = file_.write(riff);
    if (done) done = file_.seek(data_offset_ - 4);
    if (done) done = file_.write(data);
    if (done) done = file_.seek(data_offset_ + data_size_);
    if (done) done = file_.flush();
    if (!done) return done;
    patched_size_ = data_size_;
    return {};
}

}  // namespace strowger::media
