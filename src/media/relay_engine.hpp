#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "io/mailbox.hpp"
#include "media/disk.hpp"
#include "media/ports.hpp"
#include "media/relay_stream.hpp"
#include "media/shard.hpp"
#include "media/transcoder.hpp"
#include "wire/srtp/master_key.hpp"
#include "wire/srtp/policy.hpp"

namespace strowger::media {

class RelayEngine;

/// What its owner's thread holds of one relayed stream; the stream itself is on a media thread and
/// goes when this goes. What is asked of it takes effect before its next packet, and what makes it
/// speak by itself with the engine's next `flush`.
class RelaySide {
public:
    ~RelaySide();
    RelaySide(const RelaySide&) = delete;
    RelaySide& operator=(const RelaySide&) = delete;

    std::uint16_t port() const { return place_.port; }  ///< of RTP; RTCP has the next
    const StreamFigures& figures() const { return *figures_; }

    /// A key of one direction.
    struct Key {
        srtp::Policy policy;
        std::vector<srtp::IdentifiedKey> keys;  ///< at least one; sending uses the first
        bool operator==(const Key&) const = default;
    };

    void aim(RelayStream::Place place);
    /// An empty datagram to where the party is, which opens the way back through a NAT or firewall.
    void pierce();
    /// As before, nothing happens: rollover counters and windows go on. Fails when the key does not
    /// fit its suite.
    Result<> set_receiving_key(std::optional<Key> key);
    Result<> set_sending_key(std::optional<Key> key);
    /// Takes keys, gate and figures over from a side that this one takes the place of.
    void inherit(RelaySide& before);
    /// Speaks ICE and DTLS at its port from now on, or begins anew with both. The peer comes with
    /// `set_peer`.
    void begin_path(RelayPath::Start start);
    void end_path();
    /// Ports at further addresses for the path, of sides on the same thread that are there for
    /// nothing else: places 1, 2 and so on of its candidates. They must live until this is called
    /// without them, or this side goes.
    void borrow(std::vector<RelaySide*> lenders);
    void set_peer(WebrtcPeer peer);
    void restart(ice::Credentials local, WebrtcPeer peer);
    void add_candidates(std::vector<ice::Candidate> candidates, bool last);
    /// RTCP is muxed after all (RFC 5761), of a path that began with two components.
    void use_one_component();
    struct Rider {
        RelaySide* side = nullptr;
        std::uint8_t mid_extension = 0;
        std::string mid;
        std::bitset<128> types;
    };
    /// The sections of a bundle, this one first, go over its path; none: each over its own.
    void carry(const std::vector<Rider>& riders);
    void gate(std::optional<RelayStream::Gate> gate);
    /// As before, nothing happens.
    void report(const std::optional<OwnReports::Settings>& settings);
    /// Holds back what the party sends; as before, nothing happens. The buffer takes 1500 bytes for
    /// each 10 ms of its `max`.
    void hold(const std::optional<RelayStream::Hold>& hold);
    struct Sink {
        RelaySide* side = nullptr;
        std::optional<Recoder::Plan> plan = std::nullopt;  ///< nothing: what comes goes as it is
        ReportWatch::Terms terms = {};                     ///< how what the side gets is judged
        bool silent = false;                               ///< it hears silence (RelayStream::Gate)
        bool rtcp_only = false;                            ///< it gets RTCP and nothing else
    };
    /// A plan that is as before goes on where it is.
    void feed(std::vector<Sink> sinks);

    /// Which recording gets copies of its packets, and as which of its streams.
    struct Tap {
        std::uint64_t recording = 0;
        std::uint16_t stream = 0;
        bool ingress = true, egress = false;
        bool forwarded_only = false;
        std::optional<Key> key;  ///< of a party whose SRTP goes through
        bool operator==(const Tap&) const = default;
    };
    /// As before, nothing happens. Fails when the key does not fit its suite.
    Result<> tap(std::optional<Tap> tap);
    /// Files to the party, one after the other. They are read on a thread of their own; what cannot
    /// be read is logged, and nothing plays.
    void play(Player::Sounds from, std::vector<std::string> paths, StreamSpeaker::Voice voice);
    void play(std::unique_ptr<Player> player, StreamSpeaker::Voice voice);
    void stop_playing();
    void press(StreamSpeaker::Keys keys);

private:
    friend class RelayEngine;
    struct Place {
        IpAddress address;
        int tos = 0;
        std::uint16_t port = 0;
        std::size_t home = 0;
    };
    RelaySide(RelayEngine& engine, Ports& ports, std::unique_ptr<RelayStream> stream,
              std::shared_ptr<StreamFigures> figures, Place place);

    void hurry(Work work);  ///< what must not wait for the next packet

    RelayEngine& engine_;
    Ports& ports_;
    RelayStream* stream_;
    std::shared_ptr<StreamFigures> figures_;  // shared with the stream, which writes them
    Place place_;
    std::optional<Key> receiving_, sending_;
    std::optional<Tap> tap_;
    std::optional<OwnReports::Settings> reporting_;
    std::optional<RelayStream::Hold> held_;
    bool has_path_ = false;  ///< or had one
    std::vector<RelaySide*> lenders_;
    struct Planned {
        const RelaySide* side;
        Recoder::Plan plan;
        std::shared_ptr<Recoding> recoding;  // here to be given to the stream again
    };
    std::vector<Planned> planned_;
    std::uint64_t plays_ = 0;  ///< counts requests that start or stop playing
    std::shared_ptr<RelaySide*> self_ = std::make_shared<RelaySide*>(this);  // of files being read
};

/// Moves the packets of relayed calls on threads of its own; a call's streams are on one of them.
///
///     RelayEngine engine(2, 2);
///     Watch watch(loop, engine.event_fd());
///     watch.on_readable([&] { engine.dispatch(); });
class RelayEngine {
public:
    /// Of decoded files, as much as the exchange keeps: over an hour.
    static constexpr std::size_t sound_cache = std::size_t{64} << 20;

    /// Threads that move packets, and threads that transcode. Without the latter the former do it.
    RelayEngine(unsigned threads, unsigned transcoders);
    ~RelayEngine();  ///< after all sides

    int event_fd() const { return mailbox_.fd(); }
    void dispatch();

    std::size_t threads() const { return shards_.size(); }
    std::size_t transcoders() const { return transcoders_.size(); }
    /// Directions of calls that they have now, and packets that they had no time for.
    std::size_t transcoded_directions() const;
    std::uint64_t transcoding_dropped() const;
    /// `home` is the thread, below `threads()`; `ports` must outlive the engine.
    Result<std::unique_ptr<RelaySide>> open(std::size_t home, Ports& ports, const IpAddress& bind,
                                            int tos);
    /// Moves a side to another thread, so that it can feed others there. Waits for both threads.
    void move(RelaySide& side, std::size_t home);
    /// Where the copies of tapped packets come out, one ring a thread, made with the first call.
    const std::vector<std::unique_ptr<PacketRing>>& rings();
    /// MOS is how it sounds alone (LQ), not how it is to talk with the delay (CQ). Of what is fed
    /// from now on.
    void judge_listening(bool listening) { judges_listening_ = listening; }
    /// Wakes the threads that have been asked for something that must not wait. All else they do
    /// before the next packet, or when `max_waiting` requests have come together.
    void flush();
    /// Wakes all that have been asked for anything, and takes back ports whose sockets have been
    /// closed: now and then.
    void sweep();
    static constexpr std::size_t max_waiting = 64;

private:
    friend class RelaySide;
    void collect();
    void settle();
    void reclaim(Ports& ports);
    void take_back(Ports::Kept kept, Ports& ports);
    void close(Ports::Kept kept, Ports& ports);
    Shard& shard(const RelaySide& side) { return *shards_[side.place_.home]; }
    RecodingLane* lane_for(const Recoder::Plan& plan, std::size_t home);

    Random random_ = Random::system();
    bool judges_listening_ = false;
    io::Mailbox<Work> mailbox_;
    std::vector<std::unique_ptr<PacketRing>> rings_;
    std::vector<std::unique_ptr<Transcoder>> transcoders_;
    std::vector<std::unique_ptr<Shard>> shards_;  // post to the mailbox until they have stopped
    std::unique_ptr<Disk> disk_;                  // posts to the mailbox too
};

}  // namespace strowger::media
