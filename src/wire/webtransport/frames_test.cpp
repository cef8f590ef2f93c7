#include "wire/webtransport/frames.hpp"

#include <gtest/gtest.h>

#include "wire/webtransport/capsules.hpp"
#include "wire/webtransport/codes.hpp"
#include "wire/webtransport/fields.hpp"
#include "wire/webtransport/varint.hpp"

namespace strowger::webtransport {
namespace {

using Octets = std::vector<std::uint8_t>;

// RFC 9000 appendix A.1.
TEST(Varint, ReadsTheExamplesOfTheStandard) {
    const auto value = [](const Octets& bytes) { return read_varint(bytes)->value; };
    EXPECT_EQ(value({0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c}), 151'288'809'941'952'652u);
    EXPECT_EQ(value({0x9d, 0x7f, 0x3e, 0x7d}), 494'878'333u);
    EXPECT_EQ(value({0x7b, 0xbd}), 15'293u);
    EXPECT_EQ(value({0x25}), 37u);
    EXPECT_EQ(value({0x40, 0x25}), 37u);
}

TEST(Varint, IsNothingWhileBytesAreMissing) {
    EXPECT_FALSE(read_varint({}));
    EXPECT_FALSE(read_varint(Octets{0x40}));
    EXPECT_FALSE(read_varint(Octets{0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8}));
}

TEST(Varint, IsWrittenInTheShortestForm) {
    Octets out;
    for (const std::uint64_t value :
         {63ull, 64ull, 16383ull, 16384ull, 1073741823ull, 1073741824ull})
        put_varint(out, value);
    EXPECT_EQ(out, (Octets{0x3f, 0x40, 0x40, 0x7f, 0xff, 0x80, 0x00, 0x40, 0x00, 0xbf, 0xff,
                           0xff, 0xff, 0xc0, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00}));
}

TEST(FrameReader, GivesTheSameFramesWhereverTheStreamIsCut) {
    // A reserved type (0x21) with three bytes, SETTINGS with two, DATA with four, HEADERS empty.
    const Octets stream{0x21, 0x03, 1,   2,   3,   0x04, 0x02, 0x33, 0x01,
                        0x00, 0x04, 'd', 'a', 't', 'a',  0x01, 0x00};
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        FrameReader reader;
        Octets data;
        int settings = 0, headers = 0;
        for (Bytes part : {Bytes(stream).first(cut), Bytes(stream).subspan(cut)}) {
            while (true) {
                const auto frame = reader.next(part);
                ASSERT_TRUE(frame) << frame.error().text();
                if (!*frame) break;
                const auto payload = (*frame)->payload;
                if ((*frame)->type == frame_data)
                    data.insert(data.end(), payload.begin(), payload.end());
                if ((*frame)->type == frame_settings) {
                    ++settings;
                    EXPECT_EQ(Octets(payload.begin(), payload.end()), (Octets{0x33, 0x01}));
                }
                headers += (*frame)->type == frame_headers;
            }
            EXPECT_TRUE(part.empty());
        }
        EXPECT_EQ(as_text(data), "data") << cut;
        EXPECT_EQ(settings, 1) << cut;
        EXPECT_EQ(headers, 1) << cut;
        EXPECT_TRUE(reader.between_frames());
    }
}

TEST(FrameReader, RefusesTypesOfHttp2AndHeadersBeyondTheBound) {
    for (const std::uint8_t type : {0x02, 0x06, 0x08, 0x09}) {
        FrameReader reader;
        const Octets octets{type, 0x00};
        Bytes bytes(octets);
        EXPECT_EQ(reader.next(bytes).error().code(), h3_frame_unexpected);
    }
    FrameReader reader;
    const Octets octets{0x01, 0x80, 0x00, 0x40, 0x01};  // 16 385 bytes
    Bytes bytes(octets);
    EXPECT_EQ(reader.next(bytes).error().code(), h3_excessive_load);
}

TEST(FrameReader, SkipsAnUnknownFrameOfAnyLength) {
    FrameReader reader;
    Octets octets{0x21, 0x80, 0x01, 0x00, 0x00};  // 65 536 bytes
    octets.resize(octets.size() + 65536);
    octets.insert(octets.end(), {0x01, 0x00});
    Bytes bytes(octets);
    const auto frame = reader.next(bytes);
    ASSERT_TRUE(frame && *frame);
    EXPECT_EQ((*frame)->type, frame_headers);
}

TEST(CapsuleReader, SkipsTheUnknownAndReadsTheCloseWhereverItIsCut) {
    // 0x1b (unknown) with two bytes, close (0x6843 as a two-byte integer) with code 7, "bye".
    const Octets stream{0x1b, 0x02, 9, 9, 0x68, 0x43, 0x07, 0, 0, 0, 7, 'b', 'y', 'e'};
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        CapsuleReader reader;
        std::optional<CapsuleReader::Read> close;
        for (Bytes part : {Bytes(stream).first(cut), Bytes(stream).subspan(cut)}) {
            auto capsule = reader.next(part);
            ASSERT_TRUE(capsule);
            if (*capsule) close = **capsule;
        }
        ASSERT_TRUE(close) << cut;
        EXPECT_EQ(close->type, capsule_close_session);
        EXPECT_EQ(close->code, 7u);
        EXPECT_EQ(close->reason, "bye");
    }
}

TEST(CapsuleReader, ReadsADrainAndRefusesACloseWithoutACode) {
    CapsuleReader reader;
    const Octets drain{0x80, 0x00, 0x78, 0xae, 0x00};
    Bytes bytes(drain);
    EXPECT_EQ((*reader.next(bytes))->type, capsule_drain_session);
    const Octets cut{0x68, 0x43, 0x03, 0, 0, 0};
    bytes = cut;
    EXPECT_EQ(reader.next(bytes).error().code(), h3_message_error);
}

TEST(CapsuleReader, RefusesReasonsAndCapsulesBeyondTheirBounds) {
    CapsuleReader close;
    const Octets reason{0x68, 0x43, 0x44, 0x05};  // 1029 bytes: a code and 1025 of reason
    Bytes bytes(reason);
    EXPECT_EQ(close.next(bytes).error().code(), h3_message_error);
    CapsuleReader skipped;
    const Octets huge{0x1b, 0x80, 0x01, 0x00, 0x01};  // 65 537 bytes
    bytes = huge;
    EXPECT_EQ(skipped.next(bytes).error().code(), h3_excessive_load);
}

TEST(CapsuleReader, TheCloseThatIsWrittenIsAsTheDraftShowsIt) {
    EXPECT_EQ(close_capsule(0x01020304, "x"), (Octets{0x68, 0x43, 0x05, 1, 2, 3, 4, 'x'}));
    EXPECT_EQ(close_capsule(0, std::string(2000, 'x')).size(), 2u + 2 + 4 + 1024);
}

// RFC 9204 appendix B.1: a literal value with the name of static entry 1, without Huffman.
TEST(Fields, ReadTheExampleOfTheStandard) {
    Fields fields;
    const Octets block{0x00, 0x00, 0x51, 0x0b, 0x2f, 0x69, 0x6e, 0x64,
                       0x65, 0x78, 0x2e, 0x68, 0x74, 0x6d, 0x6c};
    const auto read = fields.decode(0, block);
    ASSERT_TRUE(read) << read.error().text();
    ASSERT_EQ(read->size(), 1u);
    EXPECT_EQ(read->front().name, ":path");
    EXPECT_EQ(read->front().value, "/index.html");
}

TEST(Fields, RefuseADynamicTable) {
    Fields fields;
    const Octets waits{0x02, 0x00, 0x80};  // needs one insertion
    EXPECT_EQ(fields.decode(0, waits).error().code(), qpack_decompression_failed);
    const Octets grows{0x3f, 0xbd, 0x01};  // appendix B.2: capacity 220
    EXPECT_EQ(fields.instructions(grows).error().code(), qpack_encoder_stream_error);
}

TEST(Fields, RefuseWhatIsCutShortAndWhatIsTooMuch) {
    EXPECT_FALSE(Fields().decode(0, Octets{}));
    EXPECT_FALSE(Fields().decode(0, Octets{0x00, 0x00, 0x51, 0x0b, 0x2f}));
    Octets many{0x00, 0x00};
    many.insert(many.end(), Fields::max_fields + 1, 0xd1);  // ":method GET" again and again
    EXPECT_EQ(Fields().decode(0, many).error().code(), h3_excessive_load);
}

// Static entry 25 of RFC 9204 appendix A is ":status 200".
TEST(Fields, AStatusIsOneByteAfterThePrefix) {
    Fields fields;
    EXPECT_EQ(fields.encode(0, {{":status", "200"}}), (Octets{0x00, 0x00, 0xd9}));
}

// draft-ietf-webtrans-http3-02 section 4.3.
TEST(Codes, OfAnApplicationLeaveOutTheReservedOnes) {
    EXPECT_EQ(to_http3_code(0), 0x52e4a40fa8dbu);
    EXPECT_EQ(to_http3_code(29), 0x52e4a40fa8dbu + 29);
    EXPECT_EQ(to_http3_code(30), 0x52e4a40fa8dbu + 31);
    EXPECT_EQ(to_http3_code(0xffffffff), 0x52e5ac983162u);
    for (const std::uint32_t code : {0u, 1u, 29u, 30u, 31u, 59u, 60u, 1000u, 0xffffffffu})
        EXPECT_EQ(from_http3_code(to_http3_code(code)), code);
    EXPECT_FALSE(from_http3_code(0x52e4a40fa8db + 30));
    EXPECT_FALSE(from_http3_code(0x52e4a40fa8da));
    EXPECT_FALSE(from_http3_code(h3_no_error));
}

}  // namespace
}  // namespace strowger::webtransport
