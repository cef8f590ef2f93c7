#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.hpp"
#include "media/disk.hpp"
#include "media/engine.hpp"
#include "media/ports.hpp"
#include "media/recorder.hpp"
#include "media/reply.hpp"
#include "media/shard.hpp"
#include "media/terms.hpp"
#include "wire/sdp/description.hpp"

namespace strowger::media {

/// The engine inside this process.
///
///     LocalEngine engine({.first_port = 10000, .last_port = 20000});
///     Watch watch(loop, engine.event_fd());
///     watch.on_readable([&] { engine.dispatch(); });
///
/// Offers and answers are computed on the owner's thread; packets live on media threads. A call's
/// parties are on one thread, chosen by the call's id; connecting parties of two calls moves one to
/// the other's thread. A mix is on one thread too, chosen by its name, and its members move there;
/// who spies moves to whom it listens to. So sound never crosses threads: a leg costs one message
/// when it moves, instead of fifty a second, and a conference needs no locks. Threads share no
/// state: they exchange messages.
class LocalEngine final : public Engine {
public:
    struct Options {
        unsigned threads = 0;  ///< 0: one a core
        std::uint16_t first_port = 10000;
        std::uint16_t last_port = 20000;
        std::optional<IpAddress> bind_address;        ///< else any, of the party's family
        std::optional<IpAddress> advertised_address;  ///< else the bound or the routed one
        std::size_t sound_cache_bytes = std::size_t{64} << 20;  ///< over an hour of prompts
        /// Runs a function at the end of what the owner is doing now. With it, all that is asked of
        /// a media thread meanwhile wakes that thread once; without it, each request does.
        std::function<void(std::move_only_function<void()>)> at_round_end = {};
    };

    explicit LocalEngine(Options options);
    ~LocalEngine() override;

    /// Readable when `dispatch` has something to do: events, and answers to awaited requests.
    int event_fd() const { return mailbox_.fd(); }
    void dispatch();

    Task<Result<std::string>> publish(PublishRequest) override;
    Task<Result<std::string>> create(CreateRequest) override;
    Task<Result<>> create_answer(CreateAnswerRequest) override;
    Task<Result<>> connect(ConnectRequest) override;
    Task<Result<>> disconnect(DisconnectRequest) override;
    Task<Result<>> play(PlayRequest) override;
    Task<Result<>> stop_play(StopPlayRequest) override;
    Task<Result<>> echo(EchoRequest) override;
    Task<Result<>> record(RecordRequest) override;
    Task<Result<>> stop_record(StopRecordRequest) override;
    Task<Result<>> mix(MixRequest) override;
    Task<Result<>> leave_mix(LeaveMixRequest) override;
    Task<Result<>> play_mix(PlayMixRequest) override;
    Task<Result<>> stop_play_mix(StopPlayMixRequest) override;
    Task<Result<>> record_mix(RecordMixRequest) override;
    Task<Result<>> stop_record_mix(StopRecordMixRequest) override;
    Task<Result<>> spy(SpyRequest) override;
    Task<Result<>> stop_spy(StopSpyRequest) override;
    Task<Result<>> play_dtmf(PlayDtmfRequest) override;
    Task<Result<>> block(BlockRequest) override;
    Task<Result<>> shape(ShapeRequest) override;
    Task<Result<PartyStats>> query(QueryRequest) override;
    Task<Result<PartyStats>> remove(DeleteRequest) override;
    void on_event(std::function<void(const Event&)> handler) override;

    std::size_t parties() const { return by_id_.size(); }
    std::size_t ports_in_use() const { return ports_.in_use(); }

private:
    using LegWork = std::move_only_function<void(Leg&)>;

    /// A section beside the audio, forwarded as it comes. `leg` is only named here.
    struct Stream {
        std::string kind;         ///< "video", "text"
        std::size_t section = 0;  ///< of the party's descriptions
        Leg* leg = nullptr;
        std::uint16_t port = 0;
        bool active = false;  ///< both sides have agreed to it
    };

    /// What the owner's thread knows of a party. `leg` is only named here; its shard owns it.
    struct Record {
        Record(std::uint64_t number, Party name, std::uint64_t session)
            : id(number), party(std::move(name)), history(session) {}

        std::uint64_t id;
        Party party;
        Profile profile;
        Leg* leg = nullptr;
        Shard* shard = nullptr;
        SocketAddress local;  ///< of the RTP socket, as advertised
        sdp::DescriptionHistory history;
        bool agreed = false;         ///< an offer and its answer are complete
        bool has_events = false;     ///< telephone-event was agreed
        bool has_voice = false;      ///< a codec was agreed that can be spoken here
        std::uint64_t plays = 0;     ///< counts requests that start or stop playing
        std::uint64_t joins = 0;     ///< counts requests that join it to something, or part it
        std::string mix;             ///< that it is in or on its way to; empty: none
        std::optional<Party> spied;  ///< whom it listens to
        SpySettings spy_settings;
        std::vector<std::uint64_t> spies;  ///< who listens to it
        std::vector<Stream> streams;
        std::optional<Party> joined;  ///< whom it is connected to
        bool echoes = false;

        bool moving = false;             ///< between two shards
        std::vector<LegWork> waiting;    ///< until it has arrived
        std::vector<Reply<bool>> moved;  ///< who waits for that
    };
    using Call = std::vector<std::unique_ptr<Record>>;

    /// What the owner's thread knows of a mix. `mix` is only named here; its shard owns it.
    struct MixRecord {
        Mix* mix = nullptr;
        Shard* shard = nullptr;
        std::size_t members = 0;
        std::uint64_t plays = 0;
    };

    Record* find(const Party& party);
    Result<Record*> get(const Party& party);
    /// A new record whose leg is not yet on a shard.
    Result<std::unique_ptr<Record>> make(const Party& party, const Profile& profile,
                                         std::optional<IpAddress> hint, std::unique_ptr<Leg>& leg);
    void admit(std::unique_ptr<Record> record, std::unique_ptr<Leg> leg);
    Shard& shard_for(const std::string& call);

    sdp::Description base_description(const Record& record) const;
    void apply(Record& record, const sdp::Agreement& agreement);

    // local_engine_streams.cpp: the sections beside the audio.
    Stream* stream_at(Record& record, std::string_view kind, std::optional<std::size_t> section);
    void answer_streams(Record& record, const sdp::Session& offer,
                        const std::optional<std::vector<CodecSpec>>& peer, Direction direction,
                        sdp::Description& answer);
    void offer_streams(Record& record, const std::optional<std::vector<CodecSpec>>& peer,
                       Direction direction, sdp::Description& offer, const sdp::Description* last);
    void streams_answered(Record& record, const sdp::Description& offer,
                          const sdp::Session& answer);
    void agree(Record& record, Stream& stream, const sdp::Agreement* agreement);
    /// Streams of one kind of two parties that are connected go to each other; of one that echoes,
    /// back.
    void join_streams(Record& record);
    static std::vector<Leg*> legs_of(const Record& record);

    /// Takes it out of what it was joined to, as far as the owner's thread keeps account of it.
    void unjoin(Record& record);
    void leave_mix(Record& record);
    void stop_spying(Record& record);
    Task<> follow(Party spy, Party target);
    Result<MixRecord*> mix_named(const std::string& name);
    Task<Result<Player::Sounds>> load(PlayFiles files);
    struct Recording {
        std::string path;
        bool append = false;
        Recorder::Config config;
    };
    Task<Result<std::unique_ptr<Recorder>>> open_recording(Recording recording, Party party);

    void send(Shard& shard, Work work);
    void post(Record& record, LegWork work);
    void listen(Record& record, const RecordRequest& request);
    void move(Record& record, Shard& to);
    void arrived(std::uint64_t id, std::vector<std::unique_ptr<Leg>> legs);
    Task<Result<>> settled(Party party);
    void emit(std::uint64_t id, Event event);

    Options options_;
    Random random_;
    Ports ports_;
    std::unordered_map<std::string, Call> calls_;
    std::unordered_map<std::uint64_t, Record*> by_id_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Record>> departing_;  // until the leg is gone
    std::unordered_map<std::string, MixRecord> mixes_;
    std::uint64_t next_id_ = 1;
    std::function<void(const Event&)> handler_;

    bool wake_due_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // outlived by the owner's round

    io::Mailbox<Work> mailbox_;
    std::vector<std::unique_ptr<Shard>> shards_;  // post to the mailbox until they have stopped
    std::unique_ptr<Disk> disk_;                  // posts to the mailbox too
    TaskScope tasks_;
};

}  // namespace strowger::media
