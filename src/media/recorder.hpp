#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "media/g711.hpp"
#include "media/plc.hpp"

namespace strowger::media {

/// Puts two voices that arrive as packets on one time line and mixes them.
///
/// A voice's packets lie where their timestamps say, counted from when its first packet came; when
/// timestamps and arrival part by more than `max_skew`, the voice is placed anew. Gaps are
/// concealed, late packets still find their place for `delay`, silence stands where nothing came: a
/// second of call is a second of recording. Samples leave in chunks for another thread to write.
class Recorder {
public:
    enum class Voice : std::uint8_t { party, others };
    struct Config {
        std::uint64_t id = 0;
        bool both_directions = true;
        Duration max_duration{};  ///< zero: unlimited
        Duration max_silence{};   ///< zero: silence does not end it
        bool live = false;        ///< hands over what the party says as it comes, on no time line
    };
    using Write = std::function<void(std::vector<Sample> chunk)>;
    using Finish = std::move_only_function<void(Duration length, std::string_view reason)>;

    static constexpr std::size_t rate = 8000;
    static constexpr Duration interval = std::chrono::milliseconds{100};  ///< between ticks

    Recorder(Config config, Write write, Finish finish);

    void start(Time now) { start_ = now; }
    void hear(Voice voice, std::uint32_t timestamp, std::span<const Sample> samples, Time now);

    /// Every `interval`: hands over what is complete. A reason when the recording has come to its
    /// end, upon which the owner calls `finish`.
    std::optional<std::string_view> tick(Time now);

    /// Hands over everything and reports.
    void finish(Time now, std::string_view reason);

    std::uint64_t id() const { return config_.id; }

private:
    static constexpr std::int64_t window = 8192;    // samples that a voice can lie ahead of `done_`
    static constexpr std::int64_t delay = 2400;     // 300 ms for late packets
    static constexpr std::int64_t max_skew = 1600;  // 200 ms between timestamp and arrival
    static constexpr std::int64_t max_gap = 480;    // 60 ms: what can be concealed
    static constexpr int silence_level = 256;       // mean magnitude; what Asterisk calls silence
    static constexpr std::size_t max_frame = 1024;  // samples of a packet that are looked at

    struct Lane {
        bool placed = false;
        std::uint32_t timestamp = 0;  // of the sample at `origin`
        std::int64_t origin = 0;
        std::int64_t next = 0;  // where the next packet in order begins
        Plc plc;
        std::array<Sample, window> samples{};
    };

    void put(Lane& lane, std::int64_t at, std::span<const Sample> samples);
    void hand_over(std::int64_t until);
    std::int64_t position(Time now) const;

    Config config_;
    Write write_;
    Finish finish_;
    Time start_{};
    std::int64_t done_ = 0;  // samples handed over
    std::int64_t silent_ = 0;
    std::array<Lane, 2> lanes_;
};

}  // namespace strowger::media
