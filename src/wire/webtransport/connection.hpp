#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/webtransport/capsules.hpp"
#include "wire/webtransport/codes.hpp"
#include "wire/webtransport/fields.hpp"
#include "wire/webtransport/frames.hpp"

namespace strowger::webtransport {

using StreamId = std::int64_t;  ///< as QUIC numbers them (RFC 9000 section 2.1)

constexpr bool from_client(StreamId stream) { return (stream & 1) == 0; }
constexpr bool bidirectional(StreamId stream) { return (stream & 2) == 0; }

/// The server's side of WebTransport sessions on one QUIC connection: HTTP/3 (RFC 9114) as far as
/// sessions need it, extended CONNECT (RFC 9220), and draft-ietf-webtrans-http3-02, which is the
/// form that Chromium speaks; the settings of later drafts are announced beside it.
///
/// The owner opens a unidirectional stream and says so with `start`, reports what QUIC received,
/// and after each report drains `poll` for actions of QUIC and `poll` for events of sessions. A
/// requested session is answered with `accept` or `refuse`. Other requests than WebTransport's are
/// answered with 404 here.
class Connection {
public:
    static constexpr std::size_t max_sessions = 16;  ///< pages use one; more would be a flood
    /// Streams that refer to a session of which the CONNECT has not arrived yet, and what is kept
    /// of each: packets overtake each other by a few, not by many.
    static constexpr std::size_t max_early_streams = 16;
    static constexpr std::size_t max_early_bytes = 64 << 10;
    /// Open streams at once, all kinds; QUIC's own limit is the owner's and below it.
    static constexpr std::size_t max_streams = 1024;

    // What QUIC is to do.
    struct Send {
        StreamId stream;
        std::vector<std::uint8_t> bytes;
        bool fin;
    };
    struct Reset {
        StreamId stream;
        std::uint64_t code;
    };
    struct StopSending {
        StreamId stream;
        std::uint64_t code;
    };
    struct SendDatagram {
        std::vector<std::uint8_t> bytes;
    };
    struct Close {  ///< the whole connection, for a breach of the protocol
        std::uint64_t code;
        std::string reason;
    };
    using Action = std::variant<Send, Reset, StopSending, SendDatagram, Close>;

    // What happened to sessions.
    struct Requested {
        StreamId session;
        std::string authority, path, origin;
        std::vector<Field> fields;
    };
    struct Data {  ///< on a stream of a session; the first one for a stream tells of it
        StreamId session, stream;
        std::vector<std::uint8_t> bytes;
        bool fin;
    };
    struct StreamReset {
        StreamId session, stream;
        std::optional<std::uint32_t> code;  ///< the application's, if it was one
    };
    struct StreamStopped {  ///< the peer reads no more of it
        StreamId session, stream;
        std::optional<std::uint32_t> code;
    };
    struct Datagram {
        StreamId session;
        std::vector<std::uint8_t> bytes;
    };
    struct Closed {  ///< its streams are gone
        StreamId session;
        std::uint32_t code;
        std::string reason;
    };
    struct Draining {
        StreamId session;
    };
    using Event =
        std::variant<Requested, Data, StreamReset, StreamStopped, Datagram, Closed, Draining>;

    /// `control` is a unidirectional stream that the owner has opened for us.
    void start(StreamId control);
    /// No new sessions (RFC 9114 section 5.2); those that are stay.
    void go_away();

    void received(StreamId stream, Bytes bytes, bool fin);
    void reset(StreamId stream, std::uint64_t code);
    void stopped(StreamId stream, std::uint64_t code);
    void stream_closed(StreamId stream);
    void datagram(Bytes bytes);

    void accept(StreamId session);
    void refuse(StreamId session, unsigned status);
    /// Marks a stream that the owner has just opened as the session's.
    void opened(StreamId session, StreamId stream);
    void send(StreamId stream, Bytes bytes, bool fin);
    void send_datagram(StreamId session, Bytes bytes);
    void reset_stream(StreamId stream, std::uint32_t code);
    void close(StreamId session, std::uint32_t code, std::string_view reason);

    bool poll(Action& action);
    bool poll(Event& event);

    std::size_t sessions() const { return sessions_.size(); }
    bool closed() const { return closed_; }

private:
    struct Session {
        bool accepted = false;
        CapsuleReader capsules;
        std::set<StreamId> streams;
    };
    enum class Kind { unknown, control, encoder, ignored, request, early, transport };
    struct Stream {
        Kind kind = Kind::unknown;
        std::vector<std::uint8_t> prefix;  // of unknown kind; then what came too early
        bool fin = false;                  // of an early one
        FrameReader frames;
        StreamId session = -1;
        bool answered = false;  // a request
    };

    Result<> dispatch(StreamId id, Stream& stream, Bytes bytes, bool fin);
    Result<bool> recognise(StreamId id, Stream& stream);
    Result<bool> recognise_session(StreamId id, Stream& stream, Bytes rest);
    Result<> control(Stream& stream, Bytes bytes, bool fin);
    Result<> settings(Bytes payload);
    Result<> request(StreamId id, Stream& stream, Bytes bytes, bool fin);
    Result<> headers(StreamId id, Stream& stream, Bytes block);
    Result<> capsules(StreamId id, Bytes bytes);
    void answer(StreamId id, unsigned status, bool fin);
    void end_session(StreamId id, std::uint32_t code, std::string reason);
    void give(Stream& stream, StreamId id, Bytes bytes, bool fin);
    void broken(const Error& error);

    Fields fields_;
    std::map<StreamId, Stream> streams_;
    std::map<StreamId, Session> sessions_;
    std::deque<Action> actions_;
    std::deque<Event> events_;
    StreamId control_out_ = -1, control_in_ = -1, encoder_in_ = -1, decoder_in_ = -1;
    StreamId next_request_ = 0;
    std::size_t early_ = 0;
    bool settings_seen_ = false, going_away_ = false, closed_ = false;
};

}  // namespace strowger::webtransport
