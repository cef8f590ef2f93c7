#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "io/raw_file.hpp"
#include "media/g711.hpp"
#include "recorder/settings.hpp"

namespace strowger::recorder {

using media::Sample;

/// Samples on their way into a file of some format.
class Encoder {
public:
    virtual ~Encoder() = default;
    virtual void encode(std::span<const Sample> samples, std::vector<std::uint8_t>& out) = 0;
    virtual void finish(std::vector<std::uint8_t>& out) = 0;
    /// What the beginning of a file of that size has to say, so that it is whole as it is.
    virtual std::vector<std::uint8_t> head(std::uint64_t size) const = 0;
};

/// WAV of 16-bit samples, or MP3.
Result<std::unique_ptr<Encoder>> make_encoder(const Settings& settings, std::uint32_t rate,
                                              unsigned channels);

/// One file of sound. It grows under another name, playable at any time, and is moved into its
/// place when it is whole. What the disk does not take waits; whoever writes is to stop meanwhile.
class Output {
public:
    /// A path without extension, in a directory that is made if need be. Under `key` it grows: the
    /// same file when it is begun again.
    static Result<std::unique_ptr<Output>> open(const Settings& settings, const std::string& path,
                                                const std::string& key, std::uint32_t rate,
                                                unsigned channels);

    void write(std::span<const Sample> samples);  ///< interleaved
    /// To the disk what there is. False: the disk does not take it.
    bool flush();
    /// What the codec still holds; then `flush` until it works, or not, and `keep`.
    void finish();
    /// Into its place, as it is now; the path that it got. A name that is taken gets a number.
    Result<std::string> keep();
    void discard();

    std::uint64_t frames() const { return frames_; }
    std::uint64_t missing() const { return waiting_.size(); }  ///< bytes that are not on the disk
    std::uint64_t size() const { return size_; }
    std::uint32_t rate() const { return rate_; }
    unsigned channels() const { return channels_; }
    Duration length() const {
        return Duration(static_cast<std::int64_t>(frames_ * 1'000'000 / rate_ * 1000));
    }
    const std::string& trouble() const { return trouble_; }  ///< why the last flush failed

private:
    Output(const Settings& settings, std::uint32_t rate, unsigned channels)
        : settings_(settings), rate_(rate), channels_(channels) {}
    bool write_head();

    const Settings& settings_;
    std::uint32_t rate_;
    unsigned channels_;
    std::string path_, extension_;
    io::RawFile file_;
    std::unique_ptr<Encoder> encoder_;
    std::vector<std::uint8_t> waiting_;
    std::uint64_t size_ = 0, frames_ = 0;
    std::string trouble_;
};

}  // namespace strowger::recorder
