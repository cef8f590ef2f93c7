#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "media/jitter_buffer.hpp"
#include "media/outgoing_stream.hpp"
#include "media/own_reports.hpp"
#include "media/packet_ring.hpp"
#include "media/readable.hpp"
#include "media/recoding.hpp"
#include "media/relay_path.hpp"
#include "media/report_watch.hpp"
#include "media/stream_figures.hpp"
#include "media/stream_speaker.hpp"
#include "media/timers.hpp"
#include "media/transport.hpp"
#include "wire/rtcp/packet.hpp"
#include "wire/srtp/receiver.hpp"
#include "wire/srtp/sender.hpp"

namespace strowger::media {

class Shard;

/// One party's side of one media section that is relayed: its sockets, where the party is, its
/// keys, and to which other sides goes what it sends.
///
/// Packets go through as they are, whatever is in them: SSRCs, sequence numbers and payload types
/// stay. A packet costs one read, one look at its header and one write for each side it goes to.
/// Only towards a side that takes another codec they go through a `Recoding`; from the first thing
/// of our own making on a party gets one stream for good (`OutgoingStream`).
/// Made by the engine's owner; from `attach` on it belongs to its shard.
///
/// Towards a browser all goes through a `RelayPath` instead: its own, or that of the first stream
/// of its bundle (RFC 9143), which knows by SSRC, MID or payload type whose a packet is.
class RelayStream final : public Readable {
public:
    enum class Kind : std::uint8_t {
        rtp,
        opaque,  ///< anything over UDP: T.38, or media whose keys the parties agree by themselves
    };

    struct Place {
        Transport::Target target;
        Kind kind = Kind::rtp;
        bool follow = false;   ///< another source takes over at once (media handover)
        bool feedback = true;  ///< RTCP feedback (RFC 4585) is understood there
        bool sealed = false;   ///< SRTP under keys that are not ours: nothing can be rewritten
    };

    /// What is not to go through of what the party sends.
    struct Gate {
        bool media = false;
        bool silence = false;  ///< payload becomes silence, where the codec has a code for it
        bool dtmf = false;
        std::bitset<128> events;  ///< payload types of telephone-event
        /// By payload type; 0: not known. For sinks that hear silence, too.
        std::array<std::uint8_t, 128> silent_codes{};
    };

    /// Where copies of its packets go, in the clear.
    struct Tap {
        PacketRing* ring = nullptr;
        std::uint64_t recording = 0;
        std::uint16_t stream = 0;
        bool ingress = true, egress = false;  ///< what the party sends; what is sent to it
        bool forwarded_only = false;          ///< not recorded
        /// Of a party whose SRTP goes through: opens the copies.
        std::unique_ptr<srtp::Receiver> key = nullptr;
    };

    /// One section of a bundle.
    struct Rider {
        RelayStream* stream = nullptr;
        std::uint8_t mid_extension = 0;  ///< id of the header extension that carries `mid`; 0: none
        std::string mid;
        std::bitset<128> types;
    };

    static constexpr std::size_t max_riders = 64;  ///< as sections in a description

    RelayStream(SocketPair sockets, std::shared_ptr<StreamFigures> figures)
        : transport_(std::move(sockets)), figures_(std::move(figures)) {}
    ~RelayStream();
    RelayStream(const RelayStream&) = delete;
    RelayStream& operator=(const RelayStream&) = delete;

    const SocketPair& sockets() const { return transport_.sockets(); }
    SocketPair& sockets() { return transport_.sockets(); }
    void attach(Shard& shard);
    void detach();  ///< before another shard takes it: neither feeds nor is fed
    void close();   ///< takes leave of the party, and `detach`

    void aim(const Place& place);
    void pierce();
    /// From now on what comes is decrypted, what goes is encrypted; null: not (any more).
    void set_receiving_key(std::unique_ptr<srtp::Receiver> key) { decrypt_ = std::move(key); }
    void set_sending_key(std::unique_ptr<srtp::Sender> key) { encrypt_ = std::move(key); }
    /// Keys, learnt counters and the outgoing stream of a side that this one takes the place of.
    void inherit(RelayStream& before);
    void gate(std::unique_ptr<Gate> gate) { gate_ = std::move(gate); }
    void tap(std::unique_ptr<Tap> tap) { tap_ = std::move(tap); }
    /// Speaks ICE and DTLS from now on, or begins anew with both; null: no longer.
    void set_path(std::unique_ptr<RelayPath> path);
    RelayPath* path() { return path_.get(); }
    Transport& transport_for_path() { return transport_; }
    /// The ports of these, which do nothing else, are ports of its path as well: at places 1, 2 and
    /// so on. All are on this thread. Who goes leaves its place empty.
    void borrow(std::vector<RelayStream*> lenders);
    /// Carries these, itself among them, over its path; an empty list: itself alone.
    void carry(std::vector<Rider> riders);

    struct Sink {
        RelayStream* stream = nullptr;
        std::shared_ptr<Recoding> recoding = nullptr;  ///< null: what comes goes as it is
        /// How what it gets is judged; and the clock of what goes as it is.
        ReportWatch::Terms terms = {};
        bool silent = false;     ///< hears silence, by the codes of the Gate
        bool rtcp_only = false;  ///< what it hears comes from others; it gets RTCP alone
    };
    /// Whom it feeds from now on, instead of those before. All are on this thread.
    void feed(std::vector<Sink> sinks);

    /// How speech of the party is held back.
    struct Hold {
        JitterSettings settings;
        /// By payload type, of speech; others (0) go with what came before them.
        std::array<std::uint32_t, 128> clock_rates{};
        bool operator==(const Hold&) const = default;
    };
    /// Made anew by `hold` where there was none; null: nothing is held back any more, and what was
    /// is lost.
    void hold(const Hold* hold, std::unique_ptr<JitterBuffer> buffer);

    /// RTCP of our own with the party, or figures of what it sends; nothing: neither.
    void report(const std::optional<OwnReports::Settings>& settings);

    /// Speaks to the party by itself; what others send to it meanwhile is dropped.
    void play(std::unique_ptr<Player> player, StreamSpeaker::Voice voice);
    void stop_playing();
    void press(const StreamSpeaker::Keys& keys);
    // By its speaker: a packet of our own, and how far it has come.
    void put(MutableBytes buffer, std::size_t size);
    rtp::Rewriter& outgoing() { return own_->rewriter(); }
    void resume_source();  ///< others are heard again
    void count_played(std::size_t samples) { figures_->played.set(samples); }

    /// What another one sent to the party. `buffer` has room behind it for what SRTP adds.
    void send_rtp(MutableBytes buffer, std::size_t size) { send_own(buffer, size, nullptr); }
    /// What a recoding made of it.
    void send_recoded(const Recoding& recoding, MutableBytes buffer, std::size_t size) {
        send_own(buffer, size, &recoding.figures());
    }

    void watch(Time now) { transport_.watch(now); }
    const Transport& transport() const { return transport_; }

    void rtp_readable(Time now) override;
    void rtcp_readable(Time now) override;

private:
    void rtp_packet(MutableBytes packet, Time now);
    void path_packet(ice::SocketId socket, MutableBytes packet, const SocketAddress& from,
                     Time now);
    void unkeyed_packet(MutableBytes packet, bool rtcp, Time now);
    std::optional<MutableBytes> opened(MutableBytes packet);
    static rtp::Header header_of(Bytes packet);
    void path_report(MutableBytes packet, Time now);
    RelayStream* whose(Bytes packet);
    void lend_packet(ice::SocketId socket, MutableBytes packet, const SocketAddress& from,
                     Time now);
    void give_back();
    void tell_path() const;
    bool concerns(const rtcp::Compound& compound) const;
    void take_rtp(const rtp::Header& header, MutableBytes packet, Time now);
    void take_rtcp(MutableBytes packet, Time now);
    bool sends_ssrc(std::uint32_t ssrc) const;
    RelayPath* carrying() const { return carrier_ ? carrier_->path_.get() : path_.get(); }
    void rtcp_packet(MutableBytes packet, Time now);
    void report_due(Time now);
    void say_goodbye();
    bool held_back(const rtp::Header& header, Bytes packet, Time now);
    void hold_due(Time now);
    void arm_hold();
    void await_pause(const rtp::Header& header);
    void pause_due(Time now);
    void count_sent(Bytes packet);
    void take_over(const OwnReports& reports);
    void other_packet(MutableBytes packet, Time now);
    bool pass(const rtp::Header& header, MutableBytes packet) const;
    bool silence(const rtp::Header& header, MutableBytes packet) const;
    void pass_on(const rtp::Header& header, MutableBytes packet);
    struct All {
        bool operator()(const Sink&) const { return true; }
    };
    void copy_out(Bytes packet, bool rtcp, bool egress);
    template <typename Send, typename Wanted = All>
    void distribute(MutableBytes packet, Send send, Wanted wanted = {}, bool needed = false);
    void send_own(MutableBytes buffer, std::size_t size, const Recoder::Figures* source);
    void begin_own();
    bool comes_late(Bytes packet) const;
    bool is_sent(std::uint32_t ssrc) const;
    bool readable() const { return place_.kind == Kind::rtp && !place_.sealed; }
    bool speaks() const { return speaker_ && speaker_->speaking(); }
    const Recoder::Figures* own_figures() const { return own_ ? &own_->figures() : nullptr; }
    void recode(Bytes packet, const Sink& sink);
    void recode_rtcp(Bytes packet, const Sink& sink);
    static void let_go(const Sink& sink);

    void transmit_rtp(MutableBytes buffer, std::size_t size);
    StreamSpeaker& speaker();
    void send_rtcp(MutableBytes buffer, std::size_t size);
    void tell_remote();

    Transport transport_;
    std::shared_ptr<StreamFigures> figures_;  // shared with the owner's thread, which reads them
    Shard* shard_ = nullptr;
    std::vector<Sink> sinks_;
    bool some_silent_ = false;           // of them
    std::vector<RelayStream*> feeders_;  // who has this among its sinks
    std::unique_ptr<srtp::Receiver> decrypt_;
    std::unique_ptr<srtp::Sender> encrypt_;
    std::unique_ptr<Gate> gate_;
    std::unique_ptr<Tap> tap_;
    std::unique_ptr<RelayPath> path_;
    std::vector<Rider> riders_;          // of our path; empty: none but ourselves
    bool rode_ = false;                  // on another's path, once
    RelayStream* carrier_ = nullptr;     // whose path we ride on, where it is not our own
    std::vector<RelayStream*> lenders_;  // null: gone
    RelayStream* borrower_ = nullptr;    // to whose path our ports belong
    std::array<std::uint32_t, StreamFigures::max_ssrcs>
        sent_ssrcs_{};  // the newest, round and round
    std::size_t next_sent_ssrc_ = 0;
    std::unique_ptr<StreamSpeaker> speaker_;  // once it has spoken, for good
    std::optional<OutgoingStream> own_;       // once something of ours was sent, for good
    ReportWatch::Terms terms_;                // of what others send to the party
    ReportWatch reports_;
    struct Reporter {
        OwnReports reports;
        Timer timer;
    };
    std::unique_ptr<Reporter> reporter_;  // of RTCP of our own
    struct Holding {
        std::array<std::uint32_t, 128> clock_rates;
        std::unique_ptr<JitterBuffer> buffer;
        Timer timer;
    };
    std::unique_ptr<Holding> holding_;
    struct Pausing {
        Timer timer;
        Time until{};       // of a pause
        Time keys_until{};  // of keys that wait
    };
    std::unique_ptr<Pausing> pausing_;  // while somebody's recoder does things in time
    // Header of what was sent last, until there is a stream of our own.
    std::array<std::uint8_t, rtp::header_size> last_{};
    Time last_at_{};
    Place place_;
    std::uint16_t opaque_count_ = 0;     // stands for a sequence number where there is none
    std::optional<SocketAddress> told_;  // of where the party is, in the figures
};

}  // namespace strowger::media
