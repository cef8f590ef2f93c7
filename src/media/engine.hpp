#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "wire/sdp/codec.hpp"

namespace strowger::media {

class LiveSound;

/// One party's media in a call, in NG terms: the call-id and the party's tag.
struct Party {
    std::string call;
    std::string tag;
    bool operator==(const Party&) const = default;
};

using sdp::Direction;  ///< as seen from the engine

/// One codec as it stands in SDP. Names compare without case.
using CodecSpec = sdp::Codec;

enum class DtmfMode { rfc4733, info, inband, automatic, none };

/// How the engine is to speak to one party. Comes from the endpoint's configuration.
struct Profile {
    std::vector<CodecSpec>
        codecs;  ///< allowed, in order of preference; empty allows all known ones
    DtmfMode dtmf = DtmfMode::rfc4733;
    bool symmetric = false;                 ///< send to where media comes from (rtp_symmetric)
    std::optional<IpAddress> bind_address;  ///< local address of the sockets
    std::optional<IpAddress> advertised_address;  ///< in SDP, when it differs (NAT)
    std::optional<IpAddress> received_from;       ///< where the party's signalling came from
    std::string sdp_owner = "-";
    std::string sdp_session = "Strowger";
    Duration rtp_timeout{};  ///< no packet for this long: MediaTimeout; zero: never
    Duration rtp_timeout_hold{};
    int tos = 0;
    int tos_video = 0;
    unsigned max_video = 1;  ///< video sections; more are refused
    /// How a source of media is learnt: packets that one must show in a row, and how long another
    /// that is silent keeps its place.
    int probation = 4;
    Duration source_patience = std::chrono::seconds{3};
    Duration rtcp_interval = std::chrono::seconds{5};  ///< between reports, about
    Duration keepalive{};    ///< a packet without sound when none went out for so long; zero: none
    bool use_ptime = false;  ///< packets to the party are as long as it asks for
    /// How long they are, in milliseconds, where a codec is to have another length than it comes
    /// in.
    struct PacketTime {
        std::string codec;  ///< as in SDP
        unsigned milliseconds = 0;
    };
    std::vector<PacketTime> packet_times;
};

/// A tone, a list of files, or music: what can be played.
struct PlayFiles {
    std::vector<std::string> paths;  ///< full paths with suffix; played one after the other
    bool loop = false;
    Duration start{};  ///< skip this much of the first file
};
struct PlayTone {
    std::string spec;  ///< indications.conf syntax: "425/1000,0/4000", "!440+480/100"
    bool loop = true;
};

/// Sound that comes while it is played. Only an engine in this process can do that.
struct PlayStream {
    std::shared_ptr<LiveSound> sound;  ///< shared by who fills it and who plays it
};

struct PublishRequest {
    Party party;
    std::string sdp;
    Profile profile;
    Direction direction = Direction::sendrecv;
    /// What the other party speaks: sections beside the audio (video, text) are refused unless they
    /// have a codec of it. Nothing: all that the profile allows are taken.
    std::optional<std::vector<CodecSpec>> peer = std::nullopt;
};
struct CreateRequest {
    Party party;
    Profile profile;
    Direction direction = Direction::sendrecv;
    std::vector<CodecSpec> preferred = {};  ///< put these first, as far as the profile allows them
    /// What the other party speaks: decides which sections beside the audio are offered, and with
    /// what. Nothing: those there are now.
    std::optional<std::vector<CodecSpec>> peer = std::nullopt;
};
struct CreateAnswerRequest {
    Party party;
    std::string sdp;
};
struct ConnectRequest {
    Party a;
    Party b;
};  ///< both ways; each leaves whoever it was joined to
struct DisconnectRequest {
    Party party;
};
struct PlayRequest {
    Party party;
    std::variant<PlayFiles, PlayTone, PlayStream> source;
    std::uint64_t id = 0;
};
struct StopPlayRequest {
    Party party;
};
struct EchoRequest {
    Party party;
    bool on = true;
};
/// Records what the party hears and says, mixed (MixMonitor), or only what it says (Record).
struct RecordRequest {
    Party party;
    std::string path;  ///< WAV; suffix .wav
    bool both_directions = true;
    bool append = false;
    Duration max_duration{};  ///< zero: unlimited
    Duration max_silence{};   ///< zero: silence does not end it
    std::uint64_t id = 0;
    bool live = false;  ///< no file: what the party says comes as Heard, packet by packet
};
struct StopRecordRequest {
    Party party;
    std::uint64_t id = 0;
};

/// How one member takes part in a mix.
struct MixSettings {
    bool muted = false;           ///< says nothing to the others
    bool deaf = false;            ///< hears silence
    float talking_gain = 1;       ///< of what it says, for everybody
    float listening_gain = 1;     ///< of what it hears
    bool detects_talk = false;    ///< TalkingChanged
    int talking_threshold = 160;  ///< mean magnitude of 20 ms from which on it is talk
    Duration silence = std::chrono::milliseconds{2500};  ///< so long below it ends the talk
    bool drops_silence = false;                          ///< what is no talk is not mixed
    bool pass_keys = false;                              ///< its keys are sent to the others
    bool operator==(const MixSettings&) const = default;
};
/// Takes a party into the mix of that name, out of whatever it was joined to; the first makes the
/// mix, and with the last it ends. Repeated it changes the settings.
struct MixRequest {
    Party party;
    std::string mix;
    MixSettings settings = {};
};
struct LeaveMixRequest {
    Party party;
};
/// To everybody in the mix. The end is a PlayFinished of the party {mix, ""}.
struct PlayMixRequest {
    std::string mix;
    PlayFiles source;
    std::uint64_t id = 0;
};
struct StopPlayMixRequest {
    std::string mix;
};
/// What everybody together says, until stopped or the mix ends: RecordFinished of {mix, ""}.
struct RecordMixRequest {
    std::string mix;
    std::string path;  ///< WAV; suffix .wav
    bool append = false;
    std::uint64_t id = 0;
};
struct StopRecordMixRequest {
    std::string mix;
    std::uint64_t id = 0;
};

/// What somebody who listens to another may hear and say.
struct SpySettings {
    bool hears_target = true;  ///< what the other one says
    bool hears_others = true;  ///< what it hears
    bool whispers = false;     ///< is heard by it
    bool barges = false;       ///< is heard by it and by whom it talks to
    float gain = 1;            ///< of what is heard
};
/// One party listens to another, and to whom that one talks, without taking part. It leaves
/// whatever it was joined to. Repeated it changes the settings, or the target.
struct SpyRequest {
    Party party;
    Party target;
    SpySettings settings = {};
};
struct StopSpyRequest {
    Party party;
};
struct PlayDtmfRequest {
    Party party;
    std::string digits;
    Duration duration = std::chrono::milliseconds{250};
    Duration pause = std::chrono::milliseconds{100};
};
struct BlockRequest {
    Party party;
    bool media = false;
    bool dtmf = false;
};  ///< false, false: unblock
/// What is done to sound on its way. Only G.711 is touched.
struct SoundSettings {
    float gain = 1;
    bool denoise = false;  ///< what is no speech is made quieter
    int level = 0;         ///< speech is brought to it (1 to 32768); 0: left as it is
    bool operator==(const SoundSettings&) const = default;
};
/// How what a party says is held back, so that it goes on evenly.
struct JitterSettings {
    enum class Kind : std::uint8_t { none, fixed, adaptive };
    Kind kind = Kind::none;
    Duration max = std::chrono::milliseconds{200};    ///< that it is late by; of `fixed`: always
    Duration resync = std::chrono::seconds{1};        ///< greater jumps begin anew
    Duration target = std::chrono::milliseconds{40};  ///< `adaptive`: beside what packets need
    bool operator==(const JitterSettings&) const = default;
};
constexpr Duration longest_jitter = std::chrono::seconds{1};  ///< that `max` may be
/// From then on, until asked for anew.
struct ShapeRequest {
    Party party;
    SoundSettings from;          ///< of what the party says
    SoundSettings to;            ///< of what it hears
    JitterSettings jitter = {};  ///< of what it says
};
struct DeleteRequest {
    Party party;
};  ///< this party only; the call goes with its last party
struct QueryRequest {
    Party party;
};

/// RFC 3550 figures of one direction of one party's audio.
struct StreamStats {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;  ///< RTP payload bytes
    std::uint64_t lost = 0;   ///< expected less received, never negative
    std::uint64_t reordered = 0;
    std::uint64_t duplicates = 0;
    double jitter_ms = 0;
    double loss_percent = 0;
    double mos = 0;  ///< E-model estimate, 1.0 to 4.5; 0 when nothing was received
};
struct PartyStats {
    StreamStats received;      ///< from the party, measured here
    StreamStats sent;          ///< to the party; loss and jitter as its RTCP reports them
    double round_trip_ms = 0;  ///< from RTCP, 0 when unknown
    std::string codec;
    SocketAddress local;
    SocketAddress remote;  ///< where we send now, learnt or from SDP
    std::string mode;      ///< how packets go: "forward", "transcode", "echo", "idle"
    std::string why;       ///< why it is not a faster one
};

// What happens, told on the thread that owns the engine.
struct DtmfEvent {
    Party party;
    char digit;
    Duration duration;
    bool end;
};
struct PlayFinished {
    Party party;
    std::uint64_t id;
    bool completed;
    std::string error;
    Duration played;
};
struct RecordFinished {
    Party party;
    std::uint64_t id;
    std::string path;
    Duration duration;
    std::string reason;
};
struct MediaStarted {
    Party party;
    SocketAddress from;
};
struct MediaTimeout {
    Party party;
    Duration silence;
};
/// Somebody in a mix with `detects_talk` began to talk, or ended.
struct TalkingChanged {
    Party party;
    bool talking;
    Duration talked;  ///< at the end: for so long
};
/// What a party said, for a live recording: linear, mono, 8000 samples a second.
struct Heard {
    Party party;
    std::uint64_t id;
    std::vector<std::int16_t> samples;
};
using Event = std::variant<DtmfEvent, PlayFinished, RecordFinished, MediaStarted, MediaTimeout,
                           TalkingChanged, Heard>;

/// The media plane as signalling sees it (contract 1): typed NG requests, answered at once by the
/// engine in this process or later by one elsewhere. All calls and all events happen on the owner's
/// thread. Requests for an unknown party fail; `remove` of one succeeds, so that clean-up is
/// simple.
class Engine {
public:
    virtual ~Engine() = default;

    /// Takes the party's offer and answers it, keeping its order of codecs. Repeated for the same
    /// party it is a re-offer and keeps ports. Fails with code 488 when no codec is common.
    virtual Task<Result<std::string>> publish(PublishRequest) = 0;
    /// Makes an offer to the party. Repeated it is a new offer on the same ports.
    virtual Task<Result<std::string>> create(CreateRequest) = 0;
    /// The party's answer to `create`. Repeated (forked early media, then 200) the last one counts.
    virtual Task<Result<>> create_answer(CreateAnswerRequest) = 0;
    virtual Task<Result<>> connect(ConnectRequest) = 0;
    virtual Task<Result<>> disconnect(DisconnectRequest) = 0;
    virtual Task<Result<>> play(
        PlayRequest) = 0;  ///< replaces what is playing; ends in PlayFinished
    virtual Task<Result<>> stop_play(StopPlayRequest) = 0;
    virtual Task<Result<>> echo(EchoRequest) = 0;
    virtual Task<Result<>> record(RecordRequest) = 0;  ///< ends in RecordFinished
    virtual Task<Result<>> stop_record(StopRecordRequest) = 0;
    virtual Task<Result<>> mix(MixRequest) = 0;
    virtual Task<Result<>> leave_mix(LeaveMixRequest) = 0;
    virtual Task<Result<>> play_mix(PlayMixRequest) = 0;
    virtual Task<Result<>> stop_play_mix(StopPlayMixRequest) = 0;
    virtual Task<Result<>> record_mix(RecordMixRequest) = 0;
    virtual Task<Result<>> stop_record_mix(StopRecordMixRequest) = 0;
    virtual Task<Result<>> spy(SpyRequest) = 0;
    virtual Task<Result<>> stop_spy(StopSpyRequest) = 0;
    virtual Task<Result<>> play_dtmf(PlayDtmfRequest) = 0;
    virtual Task<Result<>> block(BlockRequest) = 0;
    virtual Task<Result<>> shape(ShapeRequest) = 0;
    virtual Task<Result<PartyStats>> query(QueryRequest) = 0;
    virtual Task<Result<PartyStats>> remove(DeleteRequest) = 0;

    virtual void on_event(std::function<void(const Event&)> handler) = 0;
};

}  // namespace strowger::media
