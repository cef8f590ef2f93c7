#include "relay/request.hpp"

#include <gtest/gtest.h>

namespace strowger::relay {
namespace {

/// A request with what it borrows from.
struct Read {
    explicit Read(std::string json, const Templates& templates = {})
        : text(std::move(json)),
          document(ng::Document::parse(text).value()),
          request(read_request(document, templates).value()) {}
    std::string text;
    ng::Document document;
    Request request;
};

TEST(Request, TakesEverySpellingOfAKey) {
    for (const auto* key : {"call-id", "call id", "call_id", "Call-ID", "callid"})
        EXPECT_EQ(Read(std::string("{\"") + key + "\": \"x\"}").request.call_id, "x") << key;
    for (const auto* flag : {"SIP source address", "SIP-source-address", "sip_source_address"})
        EXPECT_TRUE(Read(std::string(R"({"flags": [")") + flag + "\"]}").request.sip_source)
            << flag;
}

TEST(Request, ItemsOfAListMayBeFlagsWithTheKeyInFront) {
    const Read read(
        R"({"flags": ["rtcp-mux-require", "replace-origin", "codec-strip-PCMA", "SDES-only-AES_CM_128_HMAC_SHA1_32",
                        "from-tags-abc", "RTP/SAVPF", "endpoint-learning-immediate"]})");
    EXPECT_TRUE(read.request.mux_require);
    EXPECT_TRUE(read.request.mux_offer);
    EXPECT_TRUE(read.request.replace_origin);
    EXPECT_EQ(read.request.codec.strip, std::vector<std::string_view>{"PCMA"});
    EXPECT_EQ(read.request.sdes_only, std::set{srtp::Suite::aes_cm_128_hmac_sha1_32});
    EXPECT_EQ(read.request.from_tags, std::vector<std::string_view>{"abc"});
    EXPECT_EQ(read.request.protocol, "RTP/SAVPF");
    EXPECT_EQ(read.request.learning, Learning::immediate);
    EXPECT_TRUE(read.request.unknown.empty());
}

TEST(Request, AProfileIsOneOfThoseThatThereAre) {
    EXPECT_EQ(Read(R"({"transport-protocol": "rtp/savp"})").request.protocol, "RTP/SAVP");
    const Read forged(R"({"transport-protocol": "RTP/AVP 0\r\na=sendonly"})");
    EXPECT_EQ(forged.request.protocol, "");
    EXPECT_EQ(forged.request.unknown.size(), 1U);
}

TEST(Request, PeersAreAddresses) {
    const Read one(R"({"outbound-peer": "192.0.2.1"})");
    EXPECT_FALSE(one.request.inbound_peer.asked);
    EXPECT_TRUE(one.request.outbound_peer.asked);
    EXPECT_EQ(one.request.outbound_peer.address, IpAddress::parse("192.0.2.1"));
    const Read both(R"({"flags": ["peer=2001:db8::1"]})");
    EXPECT_EQ(both.request.inbound_peer.address, IpAddress::parse("2001:db8::1"));
    EXPECT_EQ(both.request.outbound_peer.address, both.request.inbound_peer.address);
    const Read media(R"({"flags": ["inbound peer"]})");
    EXPECT_TRUE(media.request.inbound_peer.asked);
    EXPECT_FALSE(media.request.inbound_peer.address);
    EXPECT_FALSE(Read(R"({"inbound-peer": "off"})").request.inbound_peer.asked);
}

TEST(Request, WordsForNoSwitchAFlagOff) {
    for (const auto* word : {"off", "no", "none", "disable", "disabled"})
        EXPECT_FALSE(
            Read(std::string(R"({"strict-source": ")") + word + "\"}").request.strict_source)
            << word;
    EXPECT_TRUE(Read(R"({"strict-source": "yes"})").request.strict_source);
}

TEST(Request, FlagsInOneStringCountLikeAllOthers) {
    const Read read(
        R"({"rtpp_flags": "loop-protect direction=in direction=out codec=[offer=[opus PCMA]] ptime=40"})");
    EXPECT_TRUE(read.request.loop_protect);
    EXPECT_EQ(read.request.codec.offer, (std::vector<std::string_view>{"opus", "PCMA"}));
    EXPECT_EQ(read.request.ptime, 40U);
    EXPECT_EQ(read.request.direction.size(), 2U);
}

TEST(Request, TemplatesCountBeforeWhatTheMessageSays) {
    const Templates templates = [](std::string_view name) -> std::optional<std::string_view> {
        if (name == "offer") return "replace-origin ptime=20";
        if (name == "mine") return "asymmetric";
        return std::nullopt;
    };
    const Read read(R"({"command": "offer", "template": "mine", "ptime": 30})", templates);
    EXPECT_TRUE(read.request.replace_origin);
    EXPECT_TRUE(read.request.asymmetric);
    EXPECT_EQ(read.request.ptime, 30U);
}

TEST(Request, WhatIsNotUnderstoodIsKeptForTheLog) {
    const Read read(R"({"frobnicate": "x", "flags": ["sideways"], "sidewise": "force"})");
    EXPECT_EQ(read.request.unknown,
              (std::vector<std::string>{"frobnicate=x", "sideways", "sidewise=force"}));
}

}  // namespace
}  // namespace strowger::relay
