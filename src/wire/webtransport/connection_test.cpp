#include "wire/webtransport/connection.hpp"

#include <gtest/gtest.h>

#include "wire/webtransport/varint.hpp"

namespace strowger::webtransport {
namespace {

using Octets = std::vector<std::uint8_t>;

template <typename Kind, typename Any>
std::vector<Kind> only(const std::vector<Any>& all) {
    std::vector<Kind> found;
    for (const auto& one : all)
        if (const auto* kind = std::get_if<Kind>(&one)) found.push_back(*kind);
    return found;
}

struct Server {
    Connection connection;
    std::vector<Connection::Action> actions;
    std::vector<Connection::Event> events;

    Server() {
        connection.start(3);
        drain();
    }
    void drain() {
        Connection::Action action;
        while (connection.poll(action)) actions.push_back(std::move(action));
        Connection::Event event;
        while (connection.poll(event)) events.push_back(std::move(event));
    }
    void receive(StreamId stream, const Octets& bytes, bool fin = false) {
        connection.received(stream, bytes, fin);
        drain();
    }
    /// What went out on a stream.
    Octets sent(StreamId stream) const {
        Octets all;
        for (const auto& send : only<Connection::Send>(actions))
            if (send.stream == stream) all.insert(all.end(), send.bytes.begin(), send.bytes.end());
        return all;
    }
    std::optional<std::uint64_t> closed_with() const {
        const auto closes = only<Connection::Close>(actions);
        return closes.empty() ? std::nullopt : std::optional(closes.front().code);
    }
    void open_session(StreamId stream = 0) {
        receive(stream, connect());
        connection.accept(stream);
        drain();
    }
    static Octets connect(std::string path = "/transport", std::string method = "CONNECT") {
        Fields fields;
        Octets frame;
        put_frame(frame, frame_headers,
                  fields.encode(0, {{":method", method},
                                    {":protocol", "webtransport"},
                                    {":scheme", "https"},
                                    {":authority", "localhost:4443"},
                                    {":path", path},
                                    {"origin", "http://localhost:4080"},
                                    {"sec-webtransport-http3-draft02", "1"}}));
        return frame;
    }
};

TEST(Connection, BeginsWithItsSettings) {
    const Server server;
    EXPECT_EQ(server.sent(3), (Octets{0x00, 0x04, 0x20,                                    //
                                      0x01, 0x00, 0x07, 0x00, 0x08, 0x01, 0x33, 0x01,      //
                                      0xab, 0x60, 0x37, 0x42, 0x01,                        //
                                      0xc0, 0x00, 0x00, 0x00, 0xc6, 0x71, 0x70, 0x6a, 16,  //
                                      0x94, 0xe9, 0xcd, 0x29, 16,                          //
                                      0xac, 0x7c, 0xf0, 0x00, 0x01}));
}

TEST(Connection, TakesTheSettingsOfChromium) {
    Server server;
    Octets payload;
    for (const auto& [name, value] :
         std::initializer_list<std::pair<std::uint64_t, std::uint64_t>>{{1, 65536},
                                                                        {6, 16384},
                                                                        {7, 100},
                                                                        {0x33, 1},
                                                                        {0xffd277, 1},
                                                                        {0x2b603742, 1},
                                                                        {0x5f, 9}}) {
        put_varint(payload, name);
        put_varint(payload, value);
    }
    Octets stream{0x00};
    put_frame(stream, frame_settings, payload);
    put_frame(stream, 0x21, Octets{1, 2, 3});  // a reserved frame comes right after
    for (const auto byte : stream) server.receive(2, {byte});
    EXPECT_FALSE(server.closed_with());
}

TEST(Connection, TellsOfASessionAndAnswersItWith200) {
    Server server;
    server.receive(0, Server::connect());
    const auto requests = only<Connection::Requested>(server.events);
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_EQ(requests[0].session, 0);
    EXPECT_EQ(requests[0].path, "/transport");
    EXPECT_EQ(requests[0].authority, "localhost:4443");
    EXPECT_EQ(requests[0].origin, "http://localhost:4080");
    server.connection.accept(0);
    server.drain();
    const auto answer = server.sent(0);
    ASSERT_GT(answer.size(), 5u);
    EXPECT_EQ(answer[0], frame_headers);
    EXPECT_EQ(answer[1] + 2u, answer.size());
    EXPECT_EQ((Octets{answer.begin() + 2, answer.begin() + 5}), (Octets{0x00, 0x00, 0xd9}));
    EXPECT_FALSE(only<Connection::Send>(server.actions).back().fin);
}

TEST(Connection, RefusesASessionWithItsStatusAndOtherRequestsWith404) {
    Server server;
    server.receive(0, Server::connect());
    server.connection.refuse(0, 403);
    server.receive(4, Server::connect("/", "GET"));
    const auto sends = only<Connection::Send>(server.actions);
    EXPECT_TRUE(sends[1].fin);
    EXPECT_TRUE(sends[2].fin);
    EXPECT_EQ(server.sent(4), (Octets{0x01, 0x03, 0x00, 0x00, 0xdb}));  // static entry 27: 404
    EXPECT_EQ(server.connection.sessions(), 0u);
    EXPECT_FALSE(server.closed_with());
}

TEST(Connection, GivesTheDataOfAClientsStreamsHoweverTheirPrefixIsCut) {
    Server server;
    server.open_session();
    for (const auto byte : Octets{0x40, 0x41, 0x00, 'a', 'b'}) server.receive(4, {byte});
    server.receive(2, {0x40, 0x54, 0x00, 'u'}, true);
    Octets on4, on2;
    for (const auto& data : only<Connection::Data>(server.events)) {
        EXPECT_EQ(data.session, 0);
        auto& all = data.stream == 4 ? on4 : on2;
        all.insert(all.end(), data.bytes.begin(), data.bytes.end());
        EXPECT_EQ(data.fin, data.stream == 2);
    }
    EXPECT_EQ(as_text(on4), "ab");
    EXPECT_EQ(as_text(on2), "u");
}

TEST(Connection, MarksTheStreamsThatItOpensAndNotItsAnswers) {
    Server server;
    server.open_session();
    server.connection.opened(0, 1);
    server.connection.send(1, as_bytes("x"), false);
    server.connection.opened(0, 7);
    server.receive(4, {0x40, 0x41, 0x00});
    server.connection.send(4, as_bytes("back"), true);
    server.drain();
    EXPECT_EQ(server.sent(1), (Octets{0x40, 0x41, 0x00, 'x'}));
    EXPECT_EQ(server.sent(7), (Octets{0x40, 0x54, 0x00}));
    EXPECT_EQ(as_text(server.sent(4)), "back");
}

TEST(Connection, KeepsAStreamThatOvertookItsSession) {
    Server server;
    server.receive(4, {0x40, 0x41, 0x00, 'e'});
    server.receive(4, {'f'}, true);
    EXPECT_TRUE(only<Connection::Data>(server.events).empty());
    server.open_session();
    const auto data = only<Connection::Data>(server.events);
    ASSERT_EQ(data.size(), 1u);
    EXPECT_EQ(as_text(data[0].bytes), "ef");
    EXPECT_TRUE(data[0].fin);
}

TEST(Connection, KeepsOnlySoManyStreamsThatOvertakeTheirSession) {
    Server server;
    const auto count = static_cast<StreamId>(Connection::max_early_streams);
    for (StreamId i = 1; i <= count + 1; ++i) server.receive(4 * i, {0x40, 0x41, 0x00});
    const auto resets = only<Connection::Reset>(server.actions);
    ASSERT_EQ(resets.size(), 1u);
    EXPECT_EQ(resets[0].stream, 4 * (count + 1));
    EXPECT_EQ(resets[0].code, webtransport_buffered_stream_rejected);
    const auto stops = only<Connection::StopSending>(server.actions);
    server.receive(4, Octets(Connection::max_early_bytes + 1));
    EXPECT_EQ(only<Connection::StopSending>(server.actions).size(), stops.size() + 1);
}

TEST(Connection, DatagramsCarryAQuarterOfTheSessionsStream) {
    Server server;
    server.receive(0, Server::connect("/", "GET"));
    server.open_session(4);
    server.connection.datagram(Octets{0x01, 'd'});
    server.connection.datagram(Octets{0x02, 'n'});  // no such session: dropped
    server.connection.send_datagram(4, as_bytes("r"));
    server.drain();
    const auto came = only<Connection::Datagram>(server.events);
    ASSERT_EQ(came.size(), 1u);
    EXPECT_EQ(came[0].session, 4);
    EXPECT_EQ(as_text(came[0].bytes), "d");
    EXPECT_EQ(only<Connection::SendDatagram>(server.actions).at(0).bytes, (Octets{0x01, 'r'}));
    server.connection.datagram(Octets{});
    server.drain();
    EXPECT_EQ(server.closed_with(), h3_datagram_error);
}

TEST(Connection, ACloseCapsuleEndsTheSessionAndItsStreams) {
    Server server;
    server.open_session();
    server.receive(4, {0x40, 0x41, 0x00});
    Octets frame;
    put_frame(frame, frame_data, Octets{0x1b, 0x01, 0x00});  // an unknown capsule comes first
    put_frame(frame, frame_data, close_capsule(42, "enough"));
    for (const auto byte : frame) server.receive(0, {byte});
    const auto closed = only<Connection::Closed>(server.events);
    ASSERT_EQ(closed.size(), 1u);
    EXPECT_EQ(closed[0].code, 42u);
    EXPECT_EQ(closed[0].reason, "enough");
    EXPECT_TRUE(only<Connection::Send>(server.actions).back().fin);
    const auto resets = only<Connection::Reset>(server.actions);
    ASSERT_EQ(resets.size(), 1u);
    EXPECT_EQ(resets[0].stream, 4);
    EXPECT_EQ(resets[0].code, webtransport_session_gone);
    // What comes for it later is refused, and nothing is told of it.
    server.events.clear();
    server.receive(8, {0x40, 0x41, 0x00, 'x'});
    EXPECT_TRUE(server.events.empty());
    EXPECT_FALSE(server.closed_with());
}

TEST(Connection, ClosesASessionWithACapsuleAndTheStreamsEnd) {
    Server server;
    server.open_session();
    server.actions.clear();
    server.connection.close(0, 7, "bye");
    server.drain();
    EXPECT_EQ(server.sent(0), (Octets{0x00, 0x0a, 0x68, 0x43, 0x07, 0, 0, 0, 7, 'b', 'y', 'e'}));
    EXPECT_TRUE(only<Connection::Send>(server.actions).at(0).fin);
    EXPECT_EQ(server.connection.sessions(), 0u);
}

TEST(Connection, ResetsCarryTheCodeOfTheApplication) {
    Server server;
    server.open_session();
    server.receive(4, {0x40, 0x41, 0x00});
    server.connection.reset(4, to_http3_code(31));
    server.connection.stopped(4, 0x100);
    server.connection.reset_stream(4, 5);
    server.drain();
    EXPECT_EQ(only<Connection::StreamReset>(server.events).at(0).code, 31u);
    EXPECT_FALSE(only<Connection::StreamStopped>(server.events).at(0).code);
    EXPECT_EQ(only<Connection::Reset>(server.actions).at(0).code, 0x52e4a40fa8e0u);
}

TEST(Connection, TakesOnlySoManySessionsAndNoneAfterItsFarewell) {
    Server server;
    for (std::size_t i = 0; i <= Connection::max_sessions; ++i)
        server.receive(static_cast<StreamId>(4 * i), Server::connect());
    EXPECT_EQ(server.connection.sessions(), Connection::max_sessions);
    EXPECT_EQ(only<Connection::Reset>(server.actions).at(0).code, h3_request_rejected);

    Server leaving;
    leaving.open_session();
    leaving.connection.go_away();
    leaving.receive(4, Server::connect());
    EXPECT_EQ(leaving.connection.sessions(), 1u);
    const auto sent = leaving.sent(3);
    EXPECT_EQ((Octets{sent.end() - 3, sent.end()}), (Octets{0x07, 0x01, 0x04}));
}

struct Breach {
    const char* what;
    StreamId stream;
    Octets bytes;
    bool fin;
    std::uint64_t code;
};

class Breaches : public testing::TestWithParam<Breach> {};

TEST_P(Breaches, EndTheConnectionWithTheCodeOfTheStandard) {
    Server server;
    server.receive(GetParam().stream, GetParam().bytes, GetParam().fin);
    EXPECT_EQ(server.closed_with(), GetParam().code) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    OfHttp3, Breaches,
    testing::Values(
        Breach{"no settings first", 2, {0x00, 0x07, 0x01, 0x00}, false, h3_missing_settings},
        Breach{"settings twice", 2, {0x00, 0x04, 0x00, 0x04, 0x00}, false, h3_frame_unexpected},
        Breach{"a setting twice", 2, {0x00, 0x04, 0x04, 1, 0, 1, 0}, false, h3_settings_error},
        Breach{"HTTP/2's setting", 2, {0x00, 0x04, 0x02, 2, 0}, false, h3_settings_error},
        Breach{"a flag of 2", 2, {0x00, 0x04, 0x02, 0x33, 2}, false, h3_settings_error},
        Breach{"settings cut short", 2, {0x00, 0x04, 0x01, 1}, false, h3_frame_error},
        Breach{"data for control",
               2,
               {0x00, 0x04, 0x00, 0x00, 0x00, 0x01, 0x00},
               false,
               h3_frame_unexpected},
        Breach{"control ends", 2, {0x00, 0x04, 0x00}, true, h3_closed_critical_stream},
        Breach{"a push stream", 2, {0x01, 0x00}, false, h3_stream_creation_error},
        Breach{"data before the header", 0, {0x00, 0x01, 0x00}, false, h3_frame_unexpected},
        Breach{"settings in a request", 0, {0x04, 0x00}, false, h3_frame_unexpected},
        Breach{"a frame cut short", 0, {0x01, 0x05, 0x00}, true, h3_frame_error},
        Breach{
            "a bad header block", 0, {0x01, 0x02, 0xff, 0xff}, false, qpack_decompression_failed},
        Breach{"a session that is no request", 4, {0x40, 0x41, 0x02}, false, h3_id_error}));

TEST(Connection, SkipsAnUnknownUnidirectionalStream) {
    Server server;
    server.receive(2, {0x21, 1, 2, 3});
    server.receive(2, {4, 5, 6}, true);
    EXPECT_EQ(only<Connection::StopSending>(server.actions).at(0).code, h3_stream_creation_error);
    EXPECT_FALSE(server.closed_with());
}

TEST(Connection, ASecondControlStreamIsABreach) {
    Server server;
    server.receive(2, {0x00, 0x04, 0x00});
    server.receive(6, {0x00});
    EXPECT_EQ(server.closed_with(), h3_stream_creation_error);
}

}  // namespace
}  // namespace strowger::webtransport
