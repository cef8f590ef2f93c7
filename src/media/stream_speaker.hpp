#pragma once

#include <memory>
#include <string>

#include "media/g711.hpp"
#include "media/player.hpp"
#include "media/timers.hpp"
#include "wire/rtp/packet.hpp"
#include "wire/rtp/telephone_event.hpp"

namespace strowger::media {

class RelayStream;
class Shard;

/// What the relay itself says to one party, in the stream that the party gets anyway: a file in
/// place of the other's speech, or keys. One SSRC, sequence numbers without a gap.
class StreamSpeaker {
public:
    StreamSpeaker(RelayStream& stream, Shard& shard);

    struct Voice {
        g711::Law law = g711::Law::mu;
        std::uint8_t payload_type = 0;
    };
    /// In place of what is playing.
    void play(std::unique_ptr<Player> player, Voice voice);
    void stop();

    struct Keys {
        std::string digits;
        Duration duration, pause;
        std::uint8_t payload_type = 101;  ///< of telephone-event
        std::uint8_t volume = 10;         ///< dBm0 without its minus
    };
    void press(const Keys& keys);

    /// What others send to the party is not heard now.
    bool speaking() const { return player_ != nullptr || keys_.sounding(); }

private:
    void play_tick(Time now);
    void key_tick(Time now);
    void send(const rtp::Header& header, Bytes payload);

    RelayStream& stream_;
    Shard& shard_;
    std::unique_ptr<Player> player_;
    Voice voice_;
    Time play_due_{};
    rtp::EventSender keys_;
    std::uint8_t key_type_ = 101;
    Timer play_timer_, key_timer_;
};

}  // namespace strowger::media
