#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "io/outlet.hpp"
#include "media/resampler.hpp"
#include "recorder/settings.hpp"

namespace strowger::recorder {

using media::Sample;

/// Sends what is forwarded of a call elsewhere as it comes: RTP as datagrams to a Unix socket, or
/// samples over TCP, a connection a source, the call's metadata and a zero byte in front. Whoever
/// does not take them in time misses them; recording waits for nobody.
class Forwarder {
public:
    /// Bytes that wait for a slow receiver: 30 seconds at 8 kHz.
    static constexpr std::size_t max_waiting = 480'000;

    explicit Forwarder(const Settings& settings) : settings_(settings) {}

    void packet(Bytes rtp);
    void samples(std::uint64_t source, std::string_view metadata, std::uint32_t rate,
                 std::span<const Sample> samples);
    std::uint64_t dropped() const { return dropped_; }

private:
    struct Connection {
        std::unique_ptr<io::Outlet> outlet;
        std::unique_ptr<media::Resampler> resampler;
        std::vector<std::uint8_t> waiting;
    };

    const Settings& settings_;
    std::unique_ptr<io::Outlet> datagrams_;
    std::map<std::uint64_t, Connection> connections_;
    std::vector<Sample> resampled_;
    std::uint64_t dropped_ = 0;
};

}  // namespace strowger::recorder
