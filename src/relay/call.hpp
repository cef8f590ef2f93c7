#pragma once

#include <bitset>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "media/relay_engine.hpp"
#include "relay/codecs.hpp"
#include "relay/interfaces.hpp"
#include "relay/request.hpp"
#include "relay/sdes.hpp"
#include "relay/webrtc.hpp"
#include "wire/sdp/codec.hpp"

namespace strowger::relay {

/// One party's side of one media section: what was agreed with it, and the stream that carries it.
struct Section {
    std::string kind;
    std::string protocol;  ///< as the party speaks it
    std::string mid;
    std::string literal;  ///< of a section that is kept from the party: what it is refused by
    bool hidden = false;
    bool refused = false;
    bool opaque = false;  ///< not looked into: no RTP, or keys of the parties' own (DTLS)

    LocalInterface* local = nullptr;
    std::unique_ptr<media::RelaySide> side;
    /// At other addresses of the interface: candidates for ICE, and nothing else.
    struct Further {
        LocalInterface* local = nullptr;
        std::unique_ptr<media::RelaySide> side;
    };
    std::vector<Further> further;
    /// Where the other party was when `side` was opened: another place gets other ports.
    std::optional<SocketAddress> opened_for;

    std::optional<SocketAddress> signalled, signalled_rtcp;  ///< in its SDP
    bool rtcp_said = false;                                  ///< it names the port of its RTCP
    media::RelayStream::Place place;
    sdp::Direction direction = sdp::Direction::sendrecv;  ///< as the party said it
    std::optional<unsigned> ptime;

    bool mux_theirs = false;   ///< the party's last SDP has rtcp-mux
    bool mux_offered = false;  ///< we offered it to the party
    bool mux = false;          ///< agreed

    Webrtc webrtc;
    std::optional<std::size_t> carrier;  ///< bundled: the section whose path carries this one
    std::uint8_t mid_extension = 0;      ///< header extension that carries the MID; 0: none
    bool bundle_carrier = false;         ///< others ride on this one's path

    Sdes sdes;
    bool passthrough = false;  ///< SRTP goes through under the parties' own keys

    /// Whose section this party hears here, where it is not the one in the same place.
    struct Party* source = nullptr;
    std::size_t source_index = 0;

    std::bitset<128> events;  ///< payload types of telephone-event that the party sends
    std::vector<sdp::Payload> payloads;
    SectionCodecs codecs;
    bool keys_bare = false;   ///< to somebody nothing can be put in the place of keys
    bool recoded = false;     ///< what the party sends reaches somebody in another form
    std::string transcoding;  ///< as `PCMA/8000 -> opus/48000`; empty: no codec becomes another

    /// SRTP with keys in the SDP.
    bool secure() const { return !webrtc.on && protocol.find("SAVP") != std::string::npos; }
    bool knows_feedback() const { return protocol.ends_with('F'); }  ///< AVPF, SAVPF (RFC 4585)
};

/// A key by its number (RFC 4733), or as it is written: `5`, `*`, `A`.
std::optional<std::uint8_t> key_named(std::string_view code);
/// What `DTMF-security` says, and with it `frequency`, `volume` and `digit`.
media::Recoder::Keys keys_in_place(const Request& request);

/// Who gives and who gets media.
struct Subscription {
    struct Party* source = nullptr;
    bool offer_answer = false;  ///< by a dialogue; else asked for by `subscribe`
    bool block_media = false, silence = false;
    bool rtcp_mirror = false;  ///< what the listener says in RTCP goes to the source
};

/// What a party's SDP began with, for those that want it to stay so.
struct SdpMemory {
    std::string username, origin, session_name, last_text;
    std::uint64_t version = 0;
    bool known = false;
};

struct Party {
    std::string tag;  ///< empty until it has answered
    std::string via_branch, label;
    WallTime created{};
    std::deque<Section> sections;
    std::vector<Subscription> sources;  ///< whom it hears
    Party* dialogue = nullptr;          ///< with whom the last offer and answer were

    std::string interface;                   ///< that it is reached by; empty: the default
    std::optional<IpAddress> route_address;  ///< of that interface, the one that a route begins at
    std::optional<bool> v6;                  ///< which family it was asked to have
    std::optional<IpAddress> received_from;
    std::optional<Learning> learning;
    bool asymmetric = false, strict_source = false, media_handover = false, sip_source = false;
    bool offered = false;   ///< first, of its dialogue
    bool nat_wait = false;  ///< is sent nothing until it has sent something
    enum class Hears : std::uint8_t { others, nobody, itself };
    Hears hears = Hears::others;       ///< `media echo`
    std::vector<std::string> aliases;  ///< further tags that answered for it

    std::vector<std::string> bundle;  ///< MIDs that its last description groups
    bool bundle_accept = false;       ///< is answered bundled, if it offers so
    bool bundle_offered = false;      ///< by us to it

    /// Codecs that those who subscribe to it are offered besides its own: items of `codec`.
    std::vector<std::string> transcode;
    std::string hold_file;            ///< that is heard while it holds; empty: nothing is
    bool hold_mode_sendrecv = false;  ///< so a description says then; else sendonly
    bool holds = false;               ///< its last offer does, and that file is heard
    Duration delay_buffer{};          ///< that its speech is late by, in place of a jitter buffer
    bool block_media = false, block_dtmf = false, silence = false;
    media::Recoder::Keys blocked_keys;  ///< what stands in place of those that are blocked
    Duration key_delay{};               ///< `DTMF-delay`
    SdpMemory memory;                   ///< of the SDP that is sent to it

    bool named(std::string_view wanted) const {
        return tag == wanted || std::ranges::find(aliases, wanted) != aliases.end();
    }
};

/// A call: everybody under one Call-ID.
class Call {
public:
    /// Forks of one call, and those who listen in; beyond is no telephone call.
    static constexpr std::size_t max_parties = 64;

    Call(std::string id, std::size_t home, Time now, WallTime wall)
        : id(std::move(id)), home(home), started(now), created(wall) {}

    Party* find(std::string_view tag);
    Party* find_label(std::string_view label);
    Result<Party*> add(std::string_view tag, WallTime now);
    Result<Party*> find_or_add(std::string_view tag, WallTime now);
    void remove(Party& party);

    /// Both hear each other, and of earlier dialogues nobody.
    void join(Party& a, Party& b);
    void subscribe(Party& listener, Party& source, bool rtcp_mirror = false);
    /// What is reported to the party, and measured of what it sends, in this section.
    std::optional<media::OwnReports::Settings> reporting(const Section& section) const;
    /// Adds where its RTCP goes besides, if it listens with `RTCP mirror`.
    void mirror(const Party& listener, std::size_t index,
                std::vector<media::RelaySide::Sink>& sinks) const;
    /// How what the party says in this section is held back.
    std::optional<media::RelayStream::Hold> holding(const Party& party,
                                                    const Section& section) const;
    /// What others get of the party's keys, as far as these are not dropped.
    media::Recoder::Keys keys_of(const Party& party) const;
    /// Tells the streams who feeds whom, and which path carries them.
    void route();
    void carry(Party& party);
    /// Tells the streams what is not to go through.
    void gate(Party& party);
    /// How its streams fare: as those say who hear them and, where nobody says anything, as they
    /// were measured.
    std::vector<const media::StreamFigures::Quality*> qualities() const;

    std::string id;
    std::size_t home;  ///< the media thread
    Time started;
    WallTime created, last_signal{};
    std::vector<std::unique_ptr<Party>> parties;
    bool answered = false;
    bool block_media = false, block_dtmf = false, silence = false;  ///< for everybody
    media::Recoder::Keys blocked_keys;  ///< what stands in place of those that are blocked
    bool dropped = false;               ///< `drop-traffic`
    bool loop_check = false;            ///< its descriptions are marked
    bool generate_rtcp = false;         ///< the parties' own is not passed on
    media::Pauses pauses;               ///< of sound that is recoded
    unsigned jitter_packets = 0;        ///< that wait at most; 0: none does
    bool measure_rtp = false, mos_listening = false;  ///< as the relay's settings
    Duration rtcp_interval = std::chrono::seconds{5};
    bool debug = false;  ///< what is asked about it, and answered, is logged whole
    std::optional<Time> delete_at;
    std::string metadata;
    std::optional<IpAddress> asker;  ///< the proxy that made it
    std::string callback;            ///< whom that wants to be told, if another: `xmlrpc-callback`
};

}  // namespace strowger::relay
