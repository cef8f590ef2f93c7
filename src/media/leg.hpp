#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "media/engine.hpp"
#include "media/g711.hpp"
#include "media/packer.hpp"
#include "media/readable.hpp"
#include "media/repacker.hpp"
#include "media/terms.hpp"
#include "media/timers.hpp"
#include "media/transport.hpp"
#include "media/unpacker.hpp"
#include "wire/rtcp/reporter.hpp"
#include "wire/rtcp/schedule.hpp"
#include "wire/rtp/receiver_statistics.hpp"
#include "wire/rtp/rewriter.hpp"
#include "wire/rtp/telephone_event.hpp"

namespace strowger::media {

class DtmfDetector;
class JitterBuffer;
class Lane;
class Mix;
class Player;
class Recorder;
class Shaper;
class Shard;
class Spy;

/// One party's media on its thread: what comes from it and what goes to it.
///
/// Packets from the party go to the peer, which is another leg, or itself for an echo, or none. How
/// each payload type goes is decided when something changes (`route`) and stands in a table, so
/// that a packet costs one look-up. What plays or sends digits towards the party takes the place of
/// what the peer sends. A leg is made by the engine's owner and from `attach` on belongs to its
/// shard.
class Leg final : public Readable {
public:
    Leg(std::uint64_t id, SocketPair sockets, Random& random);
    ~Leg();
    Leg(const Leg&) = delete;
    Leg& operator=(const Leg&) = delete;

    std::uint64_t id() const { return id_; }
    const SocketPair& sockets() const { return transport_.sockets(); }
    SocketPair& sockets() { return transport_.sockets(); }

    void attach(Shard& shard);
    void detach();  ///< before another shard takes it; leaves its peer

    void agree(Terms terms);
    void join(Leg& other);  ///< both leave whom they were joined to
    void part();            ///< from the peer, or from the mix
    void enter(Mix& mix, const MixSettings& settings);
    void echo(bool on);
    void block(bool media, bool dtmf);
    /// Null: that direction stays as it is.
    void shape(std::unique_ptr<Shaper> from, std::unique_ptr<Shaper> to);
    /// Null: packets go on as they come, those in the buffer at once.
    void hold_back(std::unique_ptr<JitterBuffer> buffer);

    /// Replaces what plays. `id` comes back in PlayFinished.
    void play(std::unique_ptr<Player> player, std::uint64_t id);
    void stop_play();
    /// As telephone-events where agreed, else as sound.
    void send_digits(const std::string& digits, Duration duration, Duration pause);

    void record(std::unique_ptr<Recorder> recorder);
    void stop_record(std::uint64_t id, std::string_view reason);  ///< id 0: all of them

    /// Listens to another leg of this thread until it is joined to something, or that one goes.
    void spy(Leg& target, const SpySettings& settings);
    void stop_spying();

    /// Whoever sends to us is to send a whole picture: by PLI, or by FIR with that number (RFC 5104
    /// section 4.3.1).
    bool ask_for_picture(std::optional<std::uint8_t> fir);

    PartyStats stats() const;

    // By the mix and the spies that it has to do with.
    bool occupied() const;  ///< something else than the peer speaks to the party now
    /// The law by which the party can be spoken to; nothing when it takes no G.711.
    std::optional<g711::Law> own_law() const;
    /// 20 ms, or whatever, of our own making. Nothing happens when it cannot be sent.
    void speak(std::span<const Sample> samples, Time now);
    void speak_codes(Bytes codes,
                     Time now);  ///< the same by `own_law`, when nothing is to be added
    bool is_tapped() const { return !spies_.empty() || !whispers_.empty(); }
    Leg* peer() const { return peer_; }
    bool in_mix() const { return mix_ != nullptr; }
    void add_spy(Spy& spy) { spies_.push_back(&spy); }
    void remove_spy(Spy& spy) { std::erase(spies_, &spy); }
    void add_whisper(Lane& voice) { whispers_.push_back(&voice); }
    void remove_whisper(Lane& voice) { std::erase(whispers_, &voice); }
    /// What spies say to everybody that this one talks to in a mix. False: nothing.
    bool add_barging(std::span<Sample> frame);
    /// What is whispered is heard even when nobody else speaks.
    void whisper_alone(Time now);

    // By the shard, when a socket is readable.
    void rtp_readable(Time now) override;
    void rtcp_readable(Time now) override;

private:
    /// What becomes of a packet of one payload type.
    enum class Way : std::uint8_t {
        refuse,
        drop,
        pass,
        transcode,  ///< from one law to the other, code by code
        recode,     ///< through samples
    };
    enum class Content : std::uint8_t { none, audio, event, comfort_noise };
    struct Route {
        Way way = Way::refuse;
        Content content = Content::none;
        std::uint8_t out_type = 0;
        std::uint8_t law = no_law;      ///< to decode by, when it is G.711
        std::uint8_t out_law = no_law;  ///< that the peer gets
        bool decodes = false;           ///< its sound can be had
    };
    static constexpr std::uint8_t no_law = 0xff;
    static std::uint8_t law_of(const sdp::Codec& codec);

    void route();
    Route route_for(const sdp::AgreedPayload& payload, const Leg* to) const;
    const sdp::AgreedPayload* speech_payload() const;
    const sdp::AgreedPayload* g711_payload() const;
    /// In which what is made here is sent: the best codec that can be made here.
    const sdp::AgreedPayload* spoken_payload() const;
    const sdp::AgreedPayload* event_payload() const;
    bool sends() const { return sdp::sends(terms_.direction); }
    bool receives() const { return sdp::receives(terms_.direction); }
    bool is_listened_to() const;
    void tell_spies();
    void add_whispers(std::span<Sample> samples);
    void tap(std::uint32_t timestamp, MutableBytes payload, std::uint8_t law);

    void take_event(const rtp::Packet& packet, Time now);
    void report_keys();
    /// What becomes of a packet that was accepted, now or when the jitter buffer lets it go.
    void pass_on(const rtp::Packet& packet, MutableBytes datagram, Route route, Time now);
    void jitter_tick(Time now);
    bool peer_takes_events() const;
    bool converts_keys() const;
    void mute_key(MutableBytes payload, std::uint8_t law) const;
    void hear(const rtp::Packet& packet, std::uint8_t law, Time now);
    void hear(std::uint32_t timestamp, std::span<const Sample> samples, Time now);

    // leg_codecs.cpp: what is not G.711, or goes to where that is not spoken.
    using Sound = Unpacker::Sound;
    /// What the packet sounds like, in the decoder that its payload type has.
    Unpacker* unpack(const rtp::Packet& packet, std::optional<Sound>& sound);
    Packer* packer(const sdp::AgreedPayload& payload, std::uint32_t rate);
    /// A packet that is to be heard here, or by the peer, as samples.
    void take_coded(const rtp::Packet& packet, MutableBytes datagram, Route route, Time now);
    bool overhears() const { return !recorders_.empty() || is_tapped(); }
    /// What the party is about to hear, for those who record it and spy on it.
    void overhear(std::uint32_t timestamp, std::span<const Sample> samples, Time now);
    /// What the peer says. `narrow`: the same at 8000 samples a second.
    void say(const Sound& sound, const Sound& narrow, const sdp::AgreedPayload& as, Time now);
    void speak_coded(std::span<const Sample> samples, const sdp::AgreedPayload& as, Time now);
    void record_others(std::uint32_t timestamp, Bytes payload, std::uint8_t law, Time now);

    /// A packet from the peer (or ourselves), to go out under our own header.
    void relay(MutableBytes packet, Bytes payload, const Route& route, Time now);
    /// The same in packets of the length that the party wants.
    void repack(const rtp::Header& header, Bytes payload, const Route& route, Time now);
    /// Out it goes, and into the recordings when it is G.711 by `law`.
    void send(Bytes packet, Bytes payload, std::uint8_t law, Time now);
    void play_tick(Time now);
    void digit_tick(Time now);
    void record_tick(Time now);
    void finish_play(bool completed, std::string error = {});
    void start_playing();

    void pass_feedback(const rtcp::Compound& compound);
    void rtcp_tick(Time now);
    void watch_tick(Time now);
    void keep_alive(Time now);

    const std::uint64_t id_;
    Transport transport_;
    Terms terms_;
    Shard* shard_ = nullptr;
    Leg* peer_ = nullptr;
    bool echo_ = false, block_media_ = false, block_dtmf_ = false;
    std::array<Route, 128> routes_{};

    rtp::ReceiverStatistics received_;
    rtp::EventReceiver keys_;
    std::uint32_t event_clock_ = 8000;
    rtp::Rewriter sender_;
    struct Ear {
        std::uint8_t type;
        std::unique_ptr<Unpacker> unpacker;
    };
    std::vector<Ear> ears_;  // made for the first packet of a type that is to be heard
    std::unique_ptr<Packer> packer_;
    std::uint8_t packed_type_ = 0;
    std::uint32_t packed_rate_ = 0;
    bool packs_own_ = false;              // what is in it was made here
    std::uint32_t own_position_ = 0;      // of what is made here, for those who overhear it
    std::unique_ptr<Repacker> repacker_;  // made by the terms that ask for it
    Route repacked_as_;                   // what waits in it
    std::unique_ptr<Shaper> shapes_from_, shapes_to_;
    std::unique_ptr<rtp::EventSender> digits_;  // made for the first digits
    rtcp::Reporter reporter_;
    Duration rtcp_interval_ = std::chrono::seconds{5};
    std::optional<rtcp::Schedule> schedule_;
    std::unique_ptr<DtmfDetector> detector_;
    std::unique_ptr<JitterBuffer> jitter_;

    std::unique_ptr<Player> player_;
    std::unique_ptr<Player> key_player_;  // digits as sound; before what else plays
    std::uint64_t play_id_ = 0;
    std::vector<std::unique_ptr<Recorder>> recorders_;

    Mix* mix_ = nullptr;
    std::unique_ptr<Spy> spying_;
    std::vector<Spy*> spies_;      // who listens to this one
    std::vector<Lane*> whispers_;  // what they say to it
    Time spoke_{};                 // something was sent that can be heard

    std::uint64_t sent_packets_ = 0, sent_bytes_ = 0, send_failures_ = 0;
    std::uint64_t packets_at_last_report_ = 0;
    std::uint64_t packets_at_last_watch_ = 0;
    Time silent_since_{};        ///< nothing has been sent since
    std::uint64_t refused_ = 0;  ///< garbage, unknown payload types, strangers
    bool started_ = false, timed_out_ = false;
    bool picture_due_ = false;  ///< whom it was joined to has seen no whole one yet
    Time quiet_since_{};        ///< last packet, or since when one was to be expected

    Timer play_timer_, digit_timer_, key_timer_, jitter_timer_, record_timer_, rtcp_timer_,
        watch_timer_;
};

}  // namespace strowger::media
