#include "echo/answer.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/text.hpp"
#include "echo/offer.hpp"

namespace strowger::echo {
namespace {

std::string offer_of(std::string_view peer) {
    std::ifstream file(std::string(STROWGER_SOURCE_DIR) + "/tests/data/offers/" +
                       std::string(peer) + ".sdp");
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
        text.replace(at, from.size(), to);
    }
    return text;
}

media::WebrtcLocal local(dtls::Setup setup = dtls::Setup::passive) {
    static const auto fingerprint = dtls::Fingerprint::of(dtls::Hash::sha_256, as_bytes("x"));
    return {.credentials = {"ours", "ourpasswordof22letters"},
            .candidates = {ice::Candidate::host(*SocketAddress::parse("192.0.2.1:8080"))},
            .fingerprint = fingerprint,
            .setup = setup};
}

/// An offer's plan and its answer, read again as the peer would.
struct Answered {
    explicit Answered(const std::string& offer) {
        Random random(1);
        auto made = OfferPlan::make(offer, random);
        if (!made) {
            error = made.error().text();
            return;
        }
        plan.emplace(std::move(*made));
        text = plan->answer(local(plan->setup()), random);
        session = *sdp::Session::parse(text);
    }
    const sdp::Media& media(std::size_t at) const { return session.media.at(at); }
    std::string value(std::size_t at, std::string_view name) const {
        return std::string(media(at).attribute(name).value_or("(none)"));
    }

    std::optional<OfferPlan> plan;
    std::string text, error;
    sdp::Session session;
};

class OffersOfPeers : public testing::TestWithParam<std::string> {};

TEST_P(OffersOfPeers, AreAnsweredSectionForSection) {
    const auto offer_text = offer_of(GetParam());
    const auto offer = sdp::Session::parse(offer_text);
    ASSERT_TRUE(offer);
    const Answered answered(offer_text);
    ASSERT_TRUE(answered.plan) << answered.error;
    EXPECT_TRUE(answered.text.ends_with("\r\n"));
    ASSERT_EQ(answered.session.media.size(), offer->media.size());
    EXPECT_EQ(answered.plan->setup(), dtls::Setup::passive);
    std::string group;
    for (std::size_t i = 0; i < offer->media.size(); ++i) {
        const auto& asked = offer->media[i];
        const auto& given = answered.media(i);
        EXPECT_EQ(given.kind, asked.kind);
        EXPECT_EQ(given.mid, asked.mid);
        EXPECT_EQ(given.protocol, asked.protocol);
        EXPECT_NE(given.port, 0);
        EXPECT_FALSE(given.attribute("bundle-only"));
        EXPECT_EQ(given.attribute("ice-ufrag"), "ours");
        EXPECT_EQ(given.attribute("setup"), "passive");
        EXPECT_EQ(given.attribute_values("candidate").size(), i == 0 ? 1u : 0u);
        EXPECT_EQ(given.attribute("end-of-candidates").has_value(), i == 0);
        group += " " + std::string(asked.mid);
        if (!asked.is_rtp()) continue;
        EXPECT_TRUE(given.rtcp_mux);
        for (const auto& format : given.formats) {
            const auto* offered = asked.format(*format.type);
            ASSERT_TRUE(offered);
            EXPECT_EQ(format.codec(), offered->codec());
        }
        const auto& line = answered.plan->lines().at(i);
        EXPECT_TRUE(split_once(answered.value(i, "ssrc"), ' ').first == std::to_string(line.ssrc));
    }
    EXPECT_EQ(answered.session.attribute("group"), "BUNDLE" + group);
}

std::vector<std::string> peers() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(std::string(STROWGER_SOURCE_DIR) +
                                                                 "/tests/data/offers")) {
        names.push_back(entry.path().stem());
    }
    std::ranges::sort(names);
    return names;
}

INSTANTIATE_TEST_SUITE_P(Echo, OffersOfPeers, testing::ValuesIn(peers()),
                         [](const auto& test) { return test.param; });

TEST(EchoAnswer, TheTransportIsThatOfTheFirstSectionOfTheBundle) {
    const auto text = offer_of("aiortc");  // other credentials and ports in the second
    const Answered answered(text);
    const auto& peer = answered.plan->peer();
    const auto session = *sdp::Session::parse(text);
    EXPECT_EQ(peer.credentials.ufrag, session.media[0].attribute("ice-ufrag"));
    EXPECT_NE(peer.credentials.ufrag, session.media[1].attribute("ice-ufrag"));
    ASSERT_EQ(peer.candidates.size(), 1u);
    EXPECT_EQ(peer.candidates[0].address.port, session.media[0].port);
}

TEST(EchoAnswer, CandidatesOfTcpOfTheSecondComponentAndWithoutAddressAreSkipped) {
    EXPECT_EQ(Answered(offer_of("firefox")).plan->peer().candidates.size(), 1u);
    EXPECT_EQ(Answered(offer_of("pion")).plan->peer().candidates.size(), 1u);
    EXPECT_EQ(Answered(offer_of("gstreamer")).plan->peer().candidates.size(), 1u);
    EXPECT_EQ(Answered(offer_of("old_libwebrtc_channel")).plan->peer().candidates.size(), 2u);
    EXPECT_TRUE(Answered(offer_of("chromium_mdns")).plan->peer().candidates.empty());
}

TEST(EchoAnswer, OneCodecIsTakenWithItsHelpersAtItsClock) {
    const Answered answered(offer_of("firefox"));
    ASSERT_EQ(answered.media(0).formats.size(), 1u);  // the telephone-event has another clock
    EXPECT_EQ(answered.media(0).formats[0].name, "opus");
    const Answered g711(replaced(offer_of("firefox"), "opus/48000/2", "red/48000/2"));
    ASSERT_EQ(g711.media(0).formats.size(), 2u);
    EXPECT_EQ(g711.media(0).formats[0].name, "G722");
    EXPECT_EQ(g711.media(0).formats[1].name, "telephone-event");
    EXPECT_EQ(g711.media(0).formats[1].fmtp, "0-15");
}

TEST(EchoAnswer, OnlyFeedbackAndExtensionsThatWeServeAreTaken) {
    const Answered answered(offer_of("firefox"));
    EXPECT_EQ(answered.media(1).attribute_values("rtcp-fb"),
              (std::vector<std::string_view>{"120 nack", "120 nack pli", "120 ccm fir",
                                             "120 transport-cc"}));
    EXPECT_EQ(
        answered.media(1).attribute_values("extmap"),
        (std::vector<std::string_view>{"3 urn:ietf:params:rtp-hdrext:sdes:mid",
                                       "7 http://www.ietf.org/id/"
                                       "draft-holmer-rmcat-transport-wide-cc-extensions-01"}));
    // Feedback without its extension, as for pion's video, would have nothing to speak of.
    const Answered pion(
        replaced(offer_of("pion"), "a=rtcp-fb:96 goog-remb", "a=rtcp-fb:96 transport-cc"));
    EXPECT_EQ(pion.media(1).attribute_values("rtcp-fb"),
              (std::vector<std::string_view>{"96 nack", "96 nack pli", "96 ccm fir"}));
}

TEST(EchoAnswer, ASectionThatCannotBeEchoedIsRefusedAndLeavesTheBundle) {
    const Answered answered(replaced(offer_of("firefox"), "a=rtpmap:120 VP8", "a=rtpmap:120 red"));
    EXPECT_NE(answered.media(1).port, 0);  // VP9 follows
    const Answered refused(replaced(offer_of("pion"), "m=audio 9", "m=audio 0"));
    ASSERT_TRUE(refused.plan) << refused.error;
    EXPECT_EQ(refused.media(0).port, 0);
    EXPECT_EQ(refused.session.attribute("group"), "BUNDLE 1");
    EXPECT_TRUE(refused.media(1).attribute("candidate"));  // the transport moves with it
}

TEST(EchoAnswer, WithoutABundleTheFirstSectionAloneIsServed) {
    const Answered answered(replaced(offer_of("pion"), "a=group:BUNDLE 0 1\r\n", ""));
    ASSERT_TRUE(answered.plan) << answered.error;
    EXPECT_NE(answered.media(0).port, 0);
    EXPECT_EQ(answered.media(1).port, 0);
    EXPECT_FALSE(answered.session.attribute("group"));
}

TEST(EchoAnswer, DirectionsAreWhatAnEchoCanDo) {
    const std::pair<std::string_view, sdp::Direction> cases[] = {
        {"sendrecv", sdp::Direction::sendrecv},
        {"sendonly", sdp::Direction::recvonly},
        {"recvonly", sdp::Direction::inactive},
        {"inactive", sdp::Direction::inactive}};
    for (const auto& [offered, expected] : cases) {
        const Answered answered(replaced(offer_of("libdatachannel"), "sendrecv", offered));
        EXPECT_EQ(answered.media(0).direction, expected) << offered;
    }
}

TEST(EchoAnswer, SetupIsAnsweredByItsRules) {
    const auto with = [](std::string_view setup) {
        return Answered(replaced(offer_of("pion"), "a=setup:actpass", setup));
    };
    EXPECT_EQ(with("a=setup:active").value(0, "setup"), "passive");
    EXPECT_EQ(with("a=setup:passive").value(0, "setup"), "active");
    EXPECT_EQ(with("a=x").value(0, "setup"), "passive");
    EXPECT_FALSE(with("a=setup:holdconn").plan);
}

TEST(EchoAnswer, TheOldFormOfChannelsIsAnsweredInKind) {
    const Answered answered(offer_of("old_libwebrtc_channel"));
    EXPECT_EQ(answered.media(0).protocol, "DTLS/SCTP");
    EXPECT_EQ(answered.value(0, "sctpmap"), "5000 webrtc-datachannel 1024");
    EXPECT_EQ(answered.plan->peer().max_message, 65536u);
}

TEST(EchoAnswer, ABareLineFeedEndsALine) {
    EXPECT_TRUE(Answered(replaced(offer_of("chromium"), "\r\n", "\n")).plan);
}

TEST(EchoAnswer, WhatCannotBeServedSaysWhy) {
    const auto without = [](std::string_view from, std::string_view to) {
        return Answered(replaced(offer_of("gstreamer"), from, to)).error;
    };
    EXPECT_NE(without("a=fingerprint", "a=f").find("fingerprint"), std::string::npos);
    EXPECT_NE(without("sha-256", "md5").find("fingerprint"), std::string::npos);
    EXPECT_NE(without("a=ice-pwd", "a=p").find("ice-pwd"), std::string::npos);
    EXPECT_NE(without("a=rtcp-mux", "a=x").find("sent back"), std::string::npos);
    EXPECT_NE(without("UDP/TLS/RTP/SAVPF", "RTP/AVP").find("sent back"), std::string::npos);
    EXPECT_NE(without("a=mid", "a=" + std::string(max_line, 'x')).find("line"), std::string::npos);
    EXPECT_FALSE(Answered("").plan);
}

TEST(EchoAnswer, OurOwnClientUnderstandsIt) {
    Random random(7);
    const auto media = OfferedMedia::make(random);
    const auto offer = write_offer(OfferKind::audio, local(dtls::Setup::actpass), media, random);
    const Answered answered(offer);
    ASSERT_TRUE(answered.plan) << answered.error;
    EXPECT_EQ(answered.plan->lines()[0].sources, std::vector{media.audio_ssrc});
    const auto reading = read_answer(answered.text, OfferKind::audio);
    ASSERT_TRUE(reading) << reading.error().text();
    EXPECT_EQ(reading->peer.our_role, dtls::Role::client);
    EXPECT_EQ(reading->payload->codec.name, "opus");
    EXPECT_EQ(reading->mid_id, 1);
    EXPECT_EQ(reading->peer.candidates.size(), 1u);
}

}  // namespace
}  // namespace strowger::echo
