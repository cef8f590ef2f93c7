#include <gtest/gtest.h>

#include "wire/recording/feed.hpp"
#include "wire/recording/metadata.hpp"
#include "wire/recording/pcap.hpp"

namespace strowger::recording {
namespace {

using namespace std::chrono_literals;

TEST(Feed, ComesOutAsItWentInWhateverThePieces) {
    const std::vector<std::uint8_t> packet{0x80, 0, 0, 1, 2, 3};
    std::vector<std::uint8_t> text;
    append_feed_head(text, WallTime(1234s));
    append_feed_record(text, {.stream = 7, .at = 20ms, .payload = packet});
    append_feed_record(text, {.kind = FeedRecord::Kind::rtcp, .egress = true, .at = 40ms});
    append_feed_record(text, {.kind = FeedRecord::Kind::end, .at = 1h});
    EXPECT_EQ(text.size(), 16U + 16 + 6 + 16 + 16);
    for (const std::size_t piece : {1UL, 7UL, 1000UL}) {
        FeedReader reader;
        std::vector<FeedRecord::Kind> kinds;
        for (std::size_t at = 0; at < text.size(); at += piece) {
            reader.feed(Bytes(text).subspan(at, std::min(piece, text.size() - at)));
            for (;;) {
                const auto record = reader.next();
                ASSERT_TRUE(record) << record.error().text();
                if (!*record) break;
                kinds.push_back((*record)->kind);
                if (kinds.size() == 1) {
                    EXPECT_EQ((*record)->stream, 7);
                    EXPECT_EQ((*record)->at, 20ms);
                    EXPECT_TRUE(std::ranges::equal((*record)->payload, packet));
                }
                if (kinds.size() == 2) {
                    EXPECT_TRUE((*record)->egress);
                }
            }
        }
        EXPECT_EQ(kinds, (std::vector{FeedRecord::Kind::rtp, FeedRecord::Kind::rtcp,
                                      FeedRecord::Kind::end}));
        EXPECT_EQ(reader.begun(), WallTime(1234s));
        EXPECT_EQ(reader.waiting(), 0U);
    }
}

TEST(Feed, WhatIsNoFeedIsAnErrorForGood) {
    FeedReader reader;
    reader.feed(as_bytes("RIFF"));
    EXPECT_FALSE(reader.next());
    std::vector<std::uint8_t> text;
    append_feed_head(text, WallTime{});
    reader.feed(text);
    EXPECT_FALSE(reader.next());

    FeedReader other;
    append_feed_record(text, {});
    text[feed_head_size] = 0xff;  // a size of 4 GiB
    other.feed(text);
    const auto record = other.next();
    ASSERT_FALSE(record);
    EXPECT_NE(record.error().text().find("byte 16"), std::string::npos) << record.error().text();
}

TEST(Metadata, ChunksAreLabelLengthAndContent) {
    EXPECT_EQ(chunk_text("CALL-ID", "abc"), "CALL-ID\n3:\nabc\n\n");
    const std::string text = chunk_text("CALL-ID", "a\n\nb") + chunk_text("RECORDING", "1") +
                             chunk_text("METADATA", "") + "STREAM 1 de";
    ChunkReader reader;
    std::vector<std::pair<std::string, std::string>> found;
    for (const char c : text) {
        reader.feed({&c, 1});
        const auto chunk = reader.next();
        ASSERT_TRUE(chunk);
        if (*chunk) found.emplace_back((*chunk)->label, (*chunk)->content);
    }
    EXPECT_EQ(found, (std::vector<std::pair<std::string, std::string>>{
                         {"CALL-ID", "a\n\nb"}, {"RECORDING", "1"}, {"METADATA", ""}}));
}

TEST(Metadata, WhatIsNoChunkIsAnError) {
    for (const std::string_view text :
         {"CALL-ID\nx:\n", "CALL-ID\n99999999999:\n", "CALL-ID\n1:\nabc\n", "A\n-1:\n\n\n"}) {
        ChunkReader reader;
        reader.feed(text);
        EXPECT_FALSE(reader.next()) << text;
    }
    ChunkReader reader;
    reader.feed(std::string(max_label + 1, 'x'));
    EXPECT_FALSE(reader.next());
}

TEST(Metadata, TellsOfStreamsTagsAndCodecs) {
    Metadata metadata;
    metadata.apply({"CALL-ID", "one"});
    metadata.apply({"STREAM 4 FORWARDING", "1"});
    metadata.apply(
        {"STREAM 4 details", "TAG 1 MEDIA 2 TAG-MEDIA 1 COMPONENT 1 FLAGS 0 MEDIA-REC-SLOTS 2"});
    metadata.apply({"TAG 1", "tag-b"});
    metadata.apply({"LABEL 1", "agent"});
    metadata.apply({"MEDIA 2 PAYLOAD TYPE 8", "PCMA/8000/1"});
    metadata.apply({"MEDIA 2 FMTP 8", "x=y"});
    metadata.apply({"MEDIA 2 PAYLOAD TYPE 300", "PCMA/8000/1"});
    metadata.apply({"MEDIA 2 PTIME", "20"});
    metadata.apply({"RECORDING", "1"});
    metadata.apply({"METADATA", "customer:12|agent:a:b"});
    metadata.apply({"SOMETHING NEW", "1"});
    EXPECT_EQ(metadata.call_id, "one");
    EXPECT_EQ(metadata.streams.at(4).tag, 1U);
    EXPECT_EQ(metadata.streams.at(4).media, 2U);
    EXPECT_TRUE(metadata.streams.at(4).forwarding);
    EXPECT_EQ(metadata.tags.at(1).tag, "tag-b");
    EXPECT_EQ(metadata.tags.at(1).label, "agent");
    EXPECT_EQ(metadata.payloads.size(), 1U);
    EXPECT_EQ((metadata.payloads.at({2, 8}).codec), "PCMA/8000/1");
    EXPECT_EQ((metadata.payloads.at({2, 8}).parameters), "x=y");
    EXPECT_EQ(metadata.packet_times.at(2), 20U);
    EXPECT_TRUE(metadata.recording);
    EXPECT_EQ(metadata.value("agent"), "a:b");
    EXPECT_FALSE(metadata.value("nobody"));
}

TEST(Pcap, APacketHasItsAddressesAndRightChecksums) {
    std::vector<std::uint8_t> text;
    append_pcap_head(text, Link::raw);
    EXPECT_EQ(text.size(), 24U);
    text.clear();
    const std::vector<std::uint8_t> payload{'h', 'i', '!'};
    append_pcap_packet(text, Link::raw, WallTime(5s), *SocketAddress::parse("192.0.2.1:1000"),
                       *SocketAddress::parse("192.0.2.2:2000"), payload);
    ASSERT_EQ(text.size(), 16U + 20 + 8 + 3);
    const auto sum = [](Bytes bytes, std::uint32_t total) {
        for (std::size_t i = 0; i < bytes.size(); ++i)
            total += i % 2 ? std::uint32_t{bytes[i]} : std::uint32_t{bytes[i]} << 8;
        while (total >> 16) total = (total & 0xffff) + (total >> 16);
        return total;
    };
    const Bytes ip = Bytes(text).subspan(16);
    EXPECT_EQ(sum(ip.first(20), 0), 0xffffU);             // RFC 1071: right when all ones
    EXPECT_EQ(sum(ip.subspan(12), 17 + 8 + 3), 0xffffU);  // pseudo-header, then UDP
    EXPECT_EQ(load16(ip, 20), 1000);
    EXPECT_EQ(as_text(ip.subspan(28)), "hi!");
}

TEST(Pcap, SixIsWrittenAsSixAndMixedFamiliesToo) {
    for (const auto* from : {"[2001:db8::1]:1", "192.0.2.1:1"}) {
        std::vector<std::uint8_t> text;
        append_pcap_packet(text, Link::ethernet, WallTime{}, *SocketAddress::parse(from),
                           *SocketAddress::parse("[2001:db8::2]:2"), {});
        ASSERT_EQ(text.size(), 16U + 14 + 40 + 8);
        EXPECT_EQ(load16(text, 16 + 12), 0x86dd);
    }
}

}  // namespace
}  // namespace strowger::recording
