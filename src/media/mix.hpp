#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "media/engine.hpp"
#include "media/g711.hpp"
#include "media/lane.hpp"
#include "media/timers.hpp"

namespace strowger::media {

class Leg;
class Player;
class Recorder;
class Shard;

/// Several legs of one thread that hear each other: a conference.
///
/// Every 20 ms it takes a frame of each member's voice and sends to each the sum of the others,
/// saturated. What is played to the mix is heard by all, and both are recorded. Members that are
/// silent hear the same, which is made once for each law. A mix is made by the engine's owner and
/// from `attach` on belongs to its shard; after that, no tick allocates.
class Mix {
public:
    // A tick must be over well before the next: this many are encoded and sent in about 4 ms.
    static constexpr std::size_t max_members = 512;
    static constexpr std::size_t frame_samples = 160;
    static constexpr Duration frame_time = std::chrono::milliseconds{20};

    Mix(std::uint64_t id, std::string name);
    ~Mix();
    Mix(const Mix&) = delete;
    Mix& operator=(const Mix&) = delete;

    std::uint64_t id() const { return id_; }
    void attach(Shard& shard);

    /// A member already here has its settings changed.
    void enter(Leg& leg, const MixSettings& settings);
    void leave(Leg& leg);
    std::size_t size() const { return members_.size(); }

    /// Replaces what plays to all. `id` comes back in PlayFinished, whose party has no tag.
    void play(std::unique_ptr<Player> player, std::uint64_t id);
    void stop_play() { finish_play(false); }
    void record(std::unique_ptr<Recorder> recorder);
    void stop_record(std::uint64_t id, std::string_view reason);  ///< id 0: all of them

    /// A member's packet.
    void hear(const Leg& leg, std::uint32_t timestamp, std::span<const Sample> samples);
    /// A member's key, for the others where its settings say so.
    void key(const Leg& leg, char digit, Duration duration);

private:
    using Frame = std::array<Sample, frame_samples>;
    using Sum = std::array<std::int32_t, frame_samples>;
    struct Member {
        Leg* leg = nullptr;
        MixSettings settings;
        Lane lane;
        Frame frame{};
        bool heard = false;    ///< `frame` is part of this tick's sum
        bool talking = false;  ///< as far as talk detection knows
        Duration talked{};     ///< since it began to
        Duration silent{};     ///< at the end of that
    };

    Member* find(const Leg& leg);
    void tick(Time now);
    void listen(Member& member, Time now);
    void detect_talk(Member& member);
    void speak(Member& member, const Sum& sum, Time now);
    void record_tick(const Sum& sum, Time now);
    void finish_play(bool completed);

    const std::uint64_t id_;
    const std::string name_;
    Shard* shard_ = nullptr;
    std::vector<std::unique_ptr<Member>> members_;
    std::unique_ptr<Player> player_;
    std::uint64_t play_id_ = 0;
    std::vector<std::unique_ptr<Recorder>> recorders_;
    std::uint32_t recorded_ = 0;  ///< the recordings' timestamp

    // Of this tick: what everybody hears who says nothing, and its codes by law once made.
    Frame common_{};
    std::array<std::array<std::uint8_t, frame_samples>, 2> codes_{};
    std::array<bool, 2> coded_{};

    Timer timer_;
};

}  // namespace strowger::media
