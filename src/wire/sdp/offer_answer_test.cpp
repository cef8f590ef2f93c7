#include "wire/sdp/offer_answer.hpp"

#include <gtest/gtest.h>

namespace strowger::sdp {
namespace {

const std::vector<Codec> phone_codecs{{"PCMU"}, {"PCMA"}, {"telephone-event", 8000, 1, "0-16"}};

Description base() {
    return {.owner = "-",
            .session_id = 7,
            .session_version = 7,
            .name = "Strowger",
            .address = *IpAddress::parse("192.0.2.1")};
}

LocalAudio local(std::vector<Codec> codecs = phone_codecs) {
    return {.codecs = std::move(codecs), .port = 4000};
}

std::string offer_text(std::string_view sections) {
    return "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n" +
           std::string(sections);
}

// RFC 3264 section 10.1: Alice's offer; we answer like Bob, but that we take no video.
TEST(SdpAnswer, RefusesTheVideoOfRfc3264ButKeepsItsPlace) {
    constexpr std::string_view alice =
        "v=0\r\no=alice 2890844526 2890844526 IN IP4 host.anywhere.com\r\ns= \r\n"
        "c=IN IP4 host.anywhere.com\r\nt=0 0\r\nm=audio 49170 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        "m=video 51372 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\nm=video 53000 RTP/AVP 32\r\n"
        "a=rtpmap:32 MPV/90000\r\n";
    const auto offer = Session::parse(alice);
    ASSERT_TRUE(offer);
    EXPECT_EQ(offer->text(), alice);
    const auto bob = answer(*offer, local(), base());
    ASSERT_TRUE(bob);
    EXPECT_EQ(bob->description.text(),
              "v=0\r\no=- 7 7 IN IP4 192.0.2.1\r\ns=Strowger\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
              "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
              "m=video 0 RTP/AVP 31\r\nm=video 0 RTP/AVP 32\r\n");
    EXPECT_EQ(bob->audio->speech()->codec.name, "PCMU");
    EXPECT_FALSE(bob->audio->remote) << "a name is not an address";
}

TEST(SdpAnswer, KeepsTheOfferersOrderAndNumbers) {
    const auto text = offer_text(
        "m=audio 5000 RTP/AVP 8 97 0 96 13\r\na=rtpmap:97 opus/48000/2\r\na=rtpmap:96 "
        "Telephone-Event/8000\r\na=fmtp:96 0-15\r\na=ptime:30\r\n");
    const auto result = answer(*Session::parse(text), local(), base());
    ASSERT_TRUE(result);
    const auto& section = result->description.media[0];
    ASSERT_EQ(section.payloads.size(), 3U);
    EXPECT_EQ(section.payloads[0].type, 8);
    EXPECT_EQ(section.payloads[1].type, 0);
    EXPECT_EQ(section.payloads[2].type, 96);
    EXPECT_EQ(section.payloads[2].codec.fmtp, "0-16");
    EXPECT_EQ(section.ptime, 30U);
    EXPECT_EQ(result->audio->telephone_event(8000)->send_type, 96);
    EXPECT_EQ(result->audio->telephone_event(48000), nullptr);
    EXPECT_EQ(result->audio->remote->text(), "192.0.2.2:5000");
    EXPECT_EQ(result->audio->remote_rtcp->text(), "192.0.2.2:5001");
}

TEST(SdpAnswer, DropsTelephoneEventsThatHaveNoCodecOfTheirRate) {
    const auto text = offer_text(
        "m=audio 5000 RTP/AVP 0 101 102\r\na=rtpmap:101 telephone-event/48000\r\n"
        "a=rtpmap:102 telephone-event/8000\r\n");
    auto codecs = phone_codecs;
    codecs.push_back({"telephone-event", 48000});
    const auto result = answer(*Session::parse(text), local(codecs), base());
    ASSERT_TRUE(result);
    ASSERT_EQ(result->audio->payloads.size(), 2U);
    EXPECT_EQ(result->audio->payloads[1].send_type, 102);
}

TEST(SdpAnswer, HasCode488WithoutACommonCodecOrProtocol) {
    for (const auto* sections :
         {"m=audio 5000 RTP/AVP 18\r\n", "m=audio 5000 RTP/SAVP 0\r\n", "m=audio 0 RTP/AVP 0\r\n",
          "m=video 5000 RTP/AVP 31\r\n",
          "m=audio 5000 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n"}) {
        const auto text = offer_text(sections);
        const auto result = answer(*Session::parse(text), local(), base());
        ASSERT_FALSE(result) << sections;
        EXPECT_EQ(result.error().code(), 488);
    }
}

TEST(SdpAnswer, OfNothingIsNothing) {
    const auto text = offer_text("");
    const auto result = answer(*Session::parse(text), local(), base());
    ASSERT_TRUE(result);
    EXPECT_FALSE(result->audio);
    EXPECT_TRUE(result->description.media.empty());
}

// RFC 3264 section 6.1.
TEST(SdpAnswer, ReversesTheDirection) {
    using D = Direction;
    EXPECT_EQ(answer_direction(D::sendrecv, D::sendrecv), D::sendrecv);
    EXPECT_EQ(answer_direction(D::sendonly, D::sendrecv), D::recvonly);
    EXPECT_EQ(answer_direction(D::recvonly, D::sendrecv), D::sendonly);
    EXPECT_EQ(answer_direction(D::inactive, D::sendrecv), D::inactive);
    EXPECT_EQ(answer_direction(D::sendrecv, D::sendonly), D::sendonly);
    EXPECT_EQ(answer_direction(D::sendonly, D::sendonly), D::inactive);
}

TEST(SdpAnswer, ToTheNullAddressIsRecvonly) {
    const auto text = offer_text("m=audio 5000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n");
    const auto result = answer(*Session::parse(text), local(), base());
    ASSERT_TRUE(result);
    EXPECT_TRUE(result->audio->held);
    EXPECT_EQ(result->description.media[0].direction, Direction::recvonly);
}

TEST(SdpAnswer, MuxesRtcpOnlyWhenBothCanAndRestrictsTheBundle) {
    const auto text = offer_text(
        "m=audio 5000 RTP/AVP 0\r\na=rtcp-mux\r\na=mid:a\r\nm=video 5002 RTP/AVP "
        "31\r\na=mid:v\r\n");
    const auto grouped =
        text.substr(0, text.find("m=")) + "a=group:BUNDLE a v\r\n" + text.substr(text.find("m="));
    auto ours = local();
    auto result = answer(*Session::parse(grouped), ours, base());
    ASSERT_TRUE(result);
    EXPECT_FALSE(result->audio->rtcp_mux);
    EXPECT_EQ(result->audio->remote_rtcp->port, 5001);
    EXPECT_EQ(result->description.attributes.at(0).second, "BUNDLE a");
    ours.rtcp_mux = true;
    result = answer(*Session::parse(grouped), ours, base());
    EXPECT_TRUE(result->audio->rtcp_mux);
    EXPECT_EQ(result->audio->remote_rtcp->port, 5000);
}

TEST(SdpOffer, NumbersCodecsAndKeepsTheNumbersInTheNextOne) {
    auto ours = local({{"opus", 48000, 2}, {"PCMA"}, {"telephone-event", 8000, 1, "0-16"}});
    ours.rtcp_port = 4007;
    const auto first = offer(ours, base());
    EXPECT_EQ(
        first.text(),
        "v=0\r\no=- 7 7 IN IP4 192.0.2.1\r\ns=Strowger\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        "m=audio 4000 RTP/AVP 96 8 101\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:8 PCMA/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=rtcp:4007\r\na=sendrecv\r\n");
    const auto second =
        offer(local({{"speex", 16000}, {"PCMA"}, {"opus", 48000, 2}}), base(), &first);
    EXPECT_EQ(second.media[0].payloads[0].type, 97) << "96 and 101 are taken";
    EXPECT_EQ(second.media[0].payloads[2].type, 96);
}

TEST(SdpOffer, NeverLosesASection) {
    const auto text = offer_text("m=video 5002 RTP/AVP 31\r\nm=audio 5000 RTP/AVP 0\r\n");
    const auto before = answer(*Session::parse(text), local(), base());
    ASSERT_TRUE(before);
    const auto next = offer(local(), base(), &before->description);
    ASSERT_EQ(next.media.size(), 2U);
    EXPECT_EQ(next.media[0].kind, "video");
    EXPECT_EQ(next.media[0].port, 0);
    EXPECT_EQ(next.media[1].port, 4000);
}

TEST(SdpAcceptAnswer, SendsWithTheirNumberAndReceivesWithOurs) {
    const auto ours = offer(local({{"opus", 48000, 2}, {"PCMU"}}), base());
    const auto text =
        offer_text("m=audio 6000 RTP/AVP 111\r\na=rtpmap:111 OPUS/48000/2\r\na=sendonly\r\n");
    const auto agreed = accept_answer(ours, *Session::parse(text));
    ASSERT_TRUE(agreed);
    EXPECT_EQ(agreed->speech()->send_type, 111);
    EXPECT_EQ(agreed->speech()->receive_type, 96);
    EXPECT_EQ(agreed->direction, Direction::recvonly);
    EXPECT_TRUE(agreed->held);
}

TEST(SdpAcceptAnswer, RefusesWhatIsNoAnswerToTheOffer) {
    const auto ours = offer(local(), base());
    const auto code = [&](std::string_view sections) {
        const auto text = offer_text(sections);
        const auto agreed = accept_answer(ours, *Session::parse(text));
        return agreed ? 0 : agreed.error().code();
    };
    EXPECT_EQ(code("m=audio 6000 RTP/AVP 0\r\n"), 0);
    EXPECT_EQ(code("m=audio 0 RTP/AVP 0\r\n"), 488);
    EXPECT_EQ(code("m=audio 6000 RTP/AVP 18\r\n"), 488);
    EXPECT_EQ(code("m=video 6000 RTP/AVP 31\r\n"), 400);
    EXPECT_EQ(code(""), 400);
}

TEST(SdpDescription, VersionGoesUpExactlyWhenSomethingChanged) {
    DescriptionHistory history(42);
    auto description = offer(local(), base());
    EXPECT_NE(history.publish(description).find("o=- 42 42 IN"), std::string::npos);
    EXPECT_NE(history.publish(description).find("o=- 42 42 IN"), std::string::npos);
    description.media[0].direction = Direction::sendonly;
    EXPECT_NE(history.publish(description).find("o=- 42 43 IN"), std::string::npos);
}

TEST(SdpDescription, NoValueStartsALineOfItsOwn) {
    auto description = base();
    description.name = "x\r\nm=audio 1 RTP/AVP 0";
    const auto text = description.text();
    EXPECT_TRUE(Session::parse(text)->media.empty());
}

TEST(SdpCodec, MatchesNamesWithoutCaseAndIdentityParameters) {
    EXPECT_TRUE(compatible({"pcmu"}, {"PCMU"}));
    EXPECT_FALSE(compatible({"L16", 44100, 1}, {"L16", 44100, 2}));
    EXPECT_TRUE(compatible({"G729", 8000, 1, "annexb=no"}, {"G729"}));
    EXPECT_FALSE(compatible({"AMR", 8000, 1, "octet-align=1"}, {"AMR"}));
    EXPECT_TRUE(compatible({"AMR", 8000, 1, "octet-align=0; mode-set=7"}, {"AMR"}));
    EXPECT_FALSE(compatible({"H264", 90000, 1, "profile-level-id=42e01f;packetization-mode=1"},
                            {"H264", 90000, 1, "profile-level-id=42e01f"}));
    EXPECT_TRUE(compatible({"H264", 90000, 1, "profile-level-id=42e01f"},
                           {"H264", 90000, 1, "profile-level-id=42e00a"}));
}

// RFC 3264 section 10.1 again, by somebody who takes one of the two pictures.
TEST(SdpSections, OneBesideTheAudioIsTakenUnderThePortGivenForIt) {
    const auto text = offer_text(
        "m=audio 49170 RTP/AVP 0\r\nm=video 51372 RTP/AVP 31 99\r\na=rtpmap:99 h264/90000\r\n"
        "a=fmtp:99 profile-level-id=42801F;packetization-mode=1\r\na=rtcp-fb:* nack pli\r\n"
        "a=rtcp-fb:99 transport-cc\r\na=sendonly\r\nm=video 53000 RTP/AVP 31\r\n");
    const auto offer = Session::parse(text);
    auto result = answer(*offer, local(), base());
    ASSERT_TRUE(result);
    const Codec h264{"H264", 90000, 1, "profile-level-id=428014;packetization-mode=1"};
    const LocalAudio video{.codecs = {h264}, .port = 4002};
    EXPECT_FALSE(accept_section(*offer, 2, video, result->description)) << "it has H.261 only";
    const auto taken = accept_section(*offer, 1, video, result->description);
    ASSERT_TRUE(taken);
    EXPECT_FALSE(accept_section(*offer, 1, video, result->description)) << "it is taken already";
    EXPECT_EQ(taken->section, 1U);
    EXPECT_EQ(taken->remote->text(), "192.0.2.2:51372");
    EXPECT_TRUE(result->description.text().ends_with(
        "m=video 4002 RTP/AVP 99\r\na=rtpmap:99 h264/90000\r\n"
        "a=fmtp:99 profile-level-id=428014;packetization-mode=1\r\na=rtcp-fb:* nack pli\r\n"
        "a=recvonly\r\nm=video 0 RTP/AVP 31\r\n"))
        << result->description.text();
}

TEST(SdpSections, AddedToAnOfferStayWhereTheyAreAndKeepTheirNumbers) {
    auto first = offer(local(), base());
    const LocalAudio video{.codecs = {{"VP8", 90000}}, .port = 4002};
    EXPECT_EQ(add_section(first, "video", video, std::nullopt), 1U);
    const auto type = first.media[1].payloads.at(0).type;
    EXPECT_GE(type, 96);

    const auto text = offer_text(
        "m=audio 6000 RTP/AVP 0\r\nm=video 6002 RTP/AVP 120\r\n"
        "a=rtpmap:120 VP8/90000\r\na=recvonly\r\n");
    const auto answered = Session::parse(text);
    const auto agreed = section_answered(first, 1, *answered);
    ASSERT_TRUE(agreed);
    EXPECT_EQ(agreed->direction, Direction::sendonly);
    EXPECT_EQ(agreed->payloads.at(0).send_type, 120);
    EXPECT_EQ(agreed->payloads.at(0).receive_type, type);

    // The next offer without it refuses it, and the one after that has it again.
    auto second = offer(local(), base(), &first);
    EXPECT_EQ(second.media.at(1).port, 0);
    EXPECT_FALSE(section_answered(second, 1, *answered));
    auto third = offer(local(), base(), &second);
    EXPECT_EQ(add_section(third, "video", video, 1, &second), 1U);
    EXPECT_EQ(third.media.at(1).payloads.at(0).type, type);
}

TEST(SdpSections, AnAnswerThatRefusesOneLeavesNothing) {
    auto made = offer(local(), base());
    (void)add_section(made, "video", {.codecs = {{"VP8", 90000}}, .port = 4002}, std::nullopt);
    for (const std::string section :
         {"m=video 0 RTP/AVP 96\r\n", "m=text 6002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n",
          "m=video 6002 RTP/AVP 31\r\n", ""}) {
        const auto text = offer_text("m=audio 6000 RTP/AVP 0\r\n" + section);
        EXPECT_FALSE(section_answered(made, 1, *Session::parse(text))) << section;
    }
}

TEST(SdpSections, EveryCodecBelongsToAKind) {
    EXPECT_EQ(kind_of({"h264", 90000}), "video");
    EXPECT_EQ(kind_of({"t140", 1000}), "text");
    EXPECT_EQ(kind_of({"red", 1000}), "text");
    EXPECT_EQ(kind_of({"red", 8000}), "audio");
    EXPECT_EQ(kind_of({"opus", 48000, 2}), "audio");
}

}  // namespace
}  // namespace strowger::sdp
