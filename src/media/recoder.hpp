#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/random.hpp"
#include "media/comfort_noise.hpp"
#include "media/dtmf_detector.hpp"
#include "media/packer.hpp"
#include "media/unpacker.hpp"
#include "wire/rtp/packet.hpp"
#include "wire/rtp/rewriter.hpp"
#include "wire/rtp/telephone_event.hpp"
#include "wire/sdp/codec.hpp"

namespace strowger::media {

/// What one relayed party says, as another one takes it: in another codec, in packets of another
/// length, under other payload types; keys as telephone-events (RFC 4733) or as tones.
///
///     recoder.take(packet, now, out);   // any number of packets come out
///
/// G.711 of one law for the other keeps its header, packet by packet. What goes through samples
/// gets a stream of its own: a random SSRC, so that no SRTP key ever meets the same SSRC and number
/// with different content, numbers one by one, timestamps in the format's clock. RTCP is told
/// accordingly (`rewrite_rtcp`).
///
/// After it is made it allocates nothing but for the first packet of a format it had not met.
class Recoder {
public:
    /// What becomes of the packets of one payload type.
    struct Way {
        enum class Kind : std::uint8_t {
            drop,
            pass,       ///< as it is, under another type
            translate,  ///< from one law of G.711 to the other
            recode,     ///< through samples
            event,      ///< a telephone-event in another clock
            tone,       ///< a telephone-event that is to be heard
            noise,      ///< CN (RFC 3389) that is to be heard, until something else comes
        };
        sdp::Payload in;
        Kind kind = Kind::drop;
        std::uint8_t out_type = 0;
        bool operator==(const Way&) const = default;
    };
    /// What the other side gets of keys, where it is not the key itself at once.
    struct Keys {
        enum class Mode : std::uint8_t {
            pass,
            silence,  ///< nothing is heard in its place, whether it came as an event or as a tone
            tone,     ///< a tone of one frequency
            random,   ///< a digit that has nothing to do with it
            event,    ///< always the same
        };
        Mode mode = Mode::pass;
        std::uint8_t event = 0;    ///< RFC 4733, for `event`
        unsigned frequency = 400;  ///< of `tone`, in hertz
        unsigned volume = 10;      ///< dBm0 without its minus
        /// How much later than it was pressed; until then there is silence in its place.
        Duration delay{};
        static constexpr Duration longest_delay = std::chrono::seconds{5};

        bool any() const { return mode != Mode::pass || delay > Duration{}; }
        /// A sound in its place, even for who knows events.
        bool heard() const { return mode == Mode::silence || mode == Mode::tone; }
        bool operator==(const Keys&) const = default;
    };
    struct Plan {
        std::vector<Way> ways;
        sdp::Payload out;                                  ///< what is recoded becomes this
        unsigned packet_ms = 20;                           ///< in packets so long
        std::optional<sdp::Payload> event = std::nullopt;  ///< what keys become
        bool detects = false;                              ///< tones become events
        bool own = false;  ///< all goes out as one stream of our own
        std::optional<sdp::Payload> noise = std::nullopt;  ///< what silence becomes
        Pauses pauses = {};
        Keys keys = {};
        bool operator==(const Plan&) const = default;

        /// Something is decoded and encoded: a hundred times the work of all else.
        bool makes_sound() const;
    };

    /// Who sends what came out. `room` holds at least `rtp::header_size + codec::max_payload`.
    class Out {
    public:
        virtual MutableBytes room() = 0;
        virtual void put(std::size_t size) = 0;  ///< it lies at the beginning of `room`

    protected:
        ~Out() = default;
    };

    Recoder(Plan plan, Random& random);
    ~Recoder();

    void take(Bytes packet, Time now, Out& out);

    /// A pause of the party is filled as time goes by: so long after a packet of this type `tick`
    /// is due, and then every `tick_interval` until the next packet, for `Pauses::longest`. Zero:
    /// after such a packet nothing is filled. Depends on the plan alone: from any thread.
    Duration tick_delay(std::uint8_t type) const;
    static constexpr Duration tick_interval = std::chrono::milliseconds{20};
    /// Whether `tick_delay` is ever anything.
    bool ticks() const {
        return noise_types_.any() || plan_.pauses.delay > Duration{} ||
               plan_.keys.delay > Duration{};
    }
    /// The same of keys that wait (`Keys::delay`): for so long after a packet of this type `tick`
    /// is due every `tick_interval`, whatever comes next. Zero: it is no key, or none waits.
    Duration holds_key(std::uint8_t type) const;
    const Plan& plan() const { return plan_; }
    void tick(Time now, Out& out);

    /// How the stream that came maps to the one that went, as RTCP needs it.
    struct Figures {
        bool own = false;  ///< there is a stream of our own at all
        std::uint32_t ssrc_in = 0, ssrc_out = 0;
        std::uint32_t stamp_in = 0, stamp_out = 0;
        std::uint32_t clock_in = 8000, clock_out = 8000;
        std::uint16_t sequence_in = 0, sequence_out = 0;
        std::uint32_t packets = 0, octets = 0;
    };
    const Figures& figures() const { return figures_; }
    /// Changes a compound that goes the same way: SSRC, timestamp and counts of its sender are
    /// those of our stream, and what it says about what `back` made (from the other party to this
    /// one) is said about the other party's own stream. Either may be null.
    static void rewrite_rtcp(MutableBytes compound, const Figures* forth, const Figures* back);

private:
    struct Ear {
        std::uint8_t type = 0;
        std::unique_ptr<Unpacker> unpacker;
    };
    Unpacker* ear(std::uint8_t type);
    void pass(const rtp::Packet& packet, const Way& way, Time now, Out& out);
    void recode(const rtp::Packet& packet, Time now, Out& out);
    void flush(Time now, Out& out);
    // recoder_pauses.cpp
    void hear_noise(const rtp::Packet& packet, Time now, Out& out);
    void begin_pause(Time began, Time now);
    void end_pause(const Unpacker::Sound& sound);
    void fill_pause(Time now, Out& out);
    void add_noise(std::uint64_t samples, std::uint32_t rate);
    bool fills(std::uint8_t type) const;
    Bytes told_noise() const;
    bool tells_silence(const Packer::Packet& packet);
    bool hear_keys(const Unpacker::Sound& narrow, Time now, Out& out);
    /// What a packet says of a key, whose segments count as one; `begins`: of another than before.
    struct Followed {
        rtp::TelephoneEvent event;
        bool begins = false;
    };
    struct KeyPacket {
        rtp::Header header;
        rtp::TelephoneEvent event;
    };
    std::optional<Followed> follow_event(const KeyPacket& packet, Time now);
    void convert_event(const KeyPacket& packet, const Way& way, Time now, Out& out);
    void sound_event(const KeyPacket& packet, const Way& way, Time now, Out& out);
    // recoder_keys.cpp
    void take_key(const KeyPacket& packet, const Way& way, Time now, Out& out);
    void play_key(const KeyPacket& packet, const Way& way, Time now, Out& out);
    void play_held_keys(Time now, Out& out);
    void put_heard(bool end, Time now, Out& out);
    void draw_event();
    std::uint8_t told_event(std::uint8_t event) const;
    bool key_pressed() const { return keys_.pressed() || pressed_before_.pressed(); }
    void put_event(std::uint32_t timestamp, const rtp::TelephoneEvent& event, bool marker, Time now,
                   Out& out);
    void put(const rtp::Header& header, Bytes payload, Out& out);
    void make_tone(const rtp::TelephoneEvent& event, std::uint64_t from, std::span<Sample> samples,
                   std::uint32_t rate) const;

    const Plan plan_;
    std::array<std::uint8_t, 128> way_of_{};  // index in the plan, plus one
    std::vector<Ear> ears_;
    std::unique_ptr<Packer> packer_;
    std::uint32_t wanted_rate_ = 8000;  // most that any source has
    rtp::Rewriter rewriter_;
    std::uint32_t sound_rate_ = 0;  // of what was put last
    std::uint16_t made_ = 0;        // packets of sound, and of its silence

    // A pause of the party that is filled.
    std::bitset<128> noise_types_, speech_types_;  // do not change
    ComfortNoise noise_;
    bool pausing_ = false;
    Time pause_began_{}, pause_until_{};
    std::uint64_t pause_made_ = 0;   // samples of it
    std::uint32_t pause_ahead_ = 0;  // samples that earlier pauses got too many
    Time heard_until_{};             // where the last of its sound ends; zero: that was no sound
    // A silence of the party that is told.
    bool silent_ = false;
    std::uint32_t silence_line_ = 0, silence_told_ = 0;  // timestamp of the last CN

    // The key that the party sends as an event.
    rtp::EventReceiver keys_;
    bool any_event_ = false, event_ended_ = true;
    std::uint32_t event_in_ = 0;     // its timestamp as it came
    std::uint32_t event_out_ = 0;    // and as it goes
    std::uint64_t event_base_ = 0;   // units of the key before this segment, as they came
    std::uint64_t event_told_ = 0;   // units of the key in segments that are over, as they go
    std::uint64_t tone_made_ = 0;    // samples of it
    std::uint8_t random_event_ = 0;  // for this key
    std::uint32_t seed_;
    // Keys that wait, oldest first.
    struct Held {
        Time due{};
        KeyPacket packet;
        const Way* way = nullptr;
    };
    static constexpr std::size_t max_held = 512;  ///< ten seconds at 50 a second
    std::vector<Held> held_;                      // a ring, where keys wait at all
    std::size_t held_first_ = 0, held_count_ = 0;
    rtp::EventReceiver pressed_before_;  // as it comes, before it waits
    bool resumes_ = false;               // sound of ours stood in place of the party's
    Way heard_way_;                      // of keys that are heard, and are not told as they are
    std::uint16_t heard_sequence_ = 0;
    // The key that is heard.
    std::unique_ptr<DtmfDetector> detector_;
    char heard_ = 0;
    std::uint32_t heard_since_ = 0;
    std::uint32_t heard_units_ = 0;

    Figures figures_;
};

}  // namespace strowger::media
