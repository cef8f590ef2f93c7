#pragma once

#include <cstdint>
#include <span>

#include "media/engine.hpp"
#include "media/g711.hpp"
#include "media/lane.hpp"
#include "media/timers.hpp"

namespace strowger::media {

class Leg;
class Shard;

/// One leg hears what another says and hears, and may talk to it (whisper), or to it and its peer
/// (barge). Whoever is spied upon goes on by its own path: its packets are copied here, and what is
/// whispered is added to what it gets.
///
/// Belongs to the listener; both legs are of one thread. Ends when either leaves it.
class Spy {
public:
    Spy(Shard& shard, Leg& listener, Leg& target, const SpySettings& settings);
    ~Spy();
    Spy(const Spy&) = delete;
    Spy& operator=(const Spy&) = delete;

    Leg& listener() const { return listener_; }
    Leg& target() const { return target_; }
    void change(const SpySettings& settings);

    /// What the target says, or hears.
    void hear(bool target_speaks, std::uint32_t timestamp, std::span<const Sample> samples);
    /// The listener's own voice.
    void say(std::uint32_t timestamp, std::span<const Sample> samples);
    /// The target talks to somebody else now, or to nobody.
    void peer_changed();
    /// Adds what the listener says to those that the target talks to in a mix. False: nothing.
    bool add_barging(std::span<Sample> frame);

private:
    void tick(Time now);

    Shard& shard_;
    Leg& listener_;
    Leg& target_;
    SpySettings settings_;
    Leg* peer_ = nullptr;  ///< whom a barging listener talks to as well
    Lane from_target_, to_target_, whisper_, barge_;
    Timer timer_;
};

}  // namespace strowger::media
