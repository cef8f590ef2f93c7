#include "wire/sdp/session.hpp"

#include <gtest/gtest.h>

namespace strowger::sdp {
namespace {

// RFC 8866 section 5.
constexpr std::string_view rfc8866 =
    "v=0\r\n"
    "o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r\n"
    "s=Call to John Smith\r\n"
    "i=SDP Offer #1\r\n"
    "u=http://www.jdoe.example.com/home.html\r\n"
    "e=Jane Doe <jane@jdoe.example.com>\r\n"
    "p=+1 617 555-6011\r\n"
    "c=IN IP4 198.51.100.1\r\n"
    "t=0 0\r\n"
    "m=audio 49170 RTP/AVP 0\r\n"
    "m=audio 49180 RTP/AVP 0\r\n"
    "m=video 51372 RTP/AVP 99\r\n"
    "c=IN IP6 2001:db8::2\r\n"
    "a=rtpmap:99 h263-1998/90000\r\n";

constexpr std::string_view head = "v=0\no=- 1 2 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n";

std::string with(std::string_view rest) { return std::string(head) + std::string(rest); }

TEST(SdpSession, ReadsTheExampleOfRfc8866AndPrintsItByteForByte) {
    const auto session = Session::parse(rfc8866);
    ASSERT_TRUE(session) << session.error().text();
    EXPECT_EQ(session->text(), rfc8866);
    EXPECT_EQ(session->origin.username, "jdoe");
    EXPECT_EQ(session->origin.session_version, "3724394405");
    EXPECT_EQ(session->name, "Call to John Smith");
    ASSERT_EQ(session->media.size(), 3U);
    EXPECT_EQ(session->media[0].address()->text(), "198.51.100.1:49170");
    EXPECT_EQ(session->media[0].formats[0].name, "PCMU");
    EXPECT_EQ(session->media[0].formats[0].clock_rate, 8000U);
    EXPECT_EQ(session->media[2].address()->text(), "[2001:db8::2]:51372");
    EXPECT_EQ(session->media[2].formats[0].name, "h263-1998");
    EXPECT_EQ(session->media[2].formats[0].clock_rate, 90000U);
}

TEST(SdpSession, TakesBareNewlinesAndBlankLinesAtTheEnd) {
    const auto text = with("m=audio 4000 RTP/AVP 8\n\n\r\n");
    const auto session = Session::parse(text);
    ASSERT_TRUE(session);
    EXPECT_EQ(session->media[0].formats[0].name, "PCMA");
}

// The example of RFC 8840 section 9.2, shortened.
TEST(SdpSession, AFragmentOfTricklesNeedsNoHead) {
    constexpr std::string_view text =
        "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=ice-ufrag:8hhY\r\n"
        "m=audio 9 RTP/AVP 0\r\na=mid:1\r\n"
        "a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 5000 typ host\r\n"
        "m=audio 9 RTP/AVP 0\r\na=mid:2\r\na=end-of-candidates\r\n";
    EXPECT_FALSE(Session::parse(text));
    const auto fragment = Session::parse_fragment(text);
    ASSERT_TRUE(fragment) << fragment.error().text();
    ASSERT_EQ(fragment->media.size(), 2u);
    EXPECT_EQ(fragment->media[0].mid, "1");
    EXPECT_EQ(fragment->attribute_for(fragment->media[1], "ice-ufrag"), "8hhY");
    EXPECT_TRUE(fragment->media[1].attribute("end-of-candidates"));
    EXPECT_FALSE(Session::parse_fragment("m=audio\r\n"));
    EXPECT_TRUE(Session::parse_fragment("").has_value());
}

TEST(SdpSession, KnowsWhatAPhoneSaysOfItsAudio) {
    const auto text = with(
        "a=recvonly\nm=audio 4000/2 RTP/AVP 0 111 101\na=rtpmap:111 opus/48000/2\n"
        "a=fmtp:111 useinbandfec=1;minptime=10\na=rtpmap:101 telephone-event/8000\na=fmtp:101 "
        "0-16\n"
        "a=ptime:20\na=maxptime:150\na=rtcp:5001 IN IP4 192.0.2.9\na=mid:a\na=label:1\n"
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\na=x-new:thing\na=sendonly\n");
    const auto session = Session::parse(text);
    ASSERT_TRUE(session);
    const auto& audio = session->media[0];
    EXPECT_EQ(audio.port_count, 2U);
    EXPECT_EQ(audio.direction, Direction::sendonly);
    EXPECT_EQ(audio.ptime, 20U);
    EXPECT_EQ(audio.maxptime, 150U);
    EXPECT_EQ(audio.rtcp_address()->text(), "192.0.2.9:5001");
    EXPECT_EQ(audio.mid, "a");
    EXPECT_EQ(audio.label, "1");
    EXPECT_EQ(audio.format(111)->channels, 2);
    EXPECT_EQ(fmtp_value(audio.format(111)->fmtp, "MinPtime"), "10");
    EXPECT_EQ(audio.format(101)->fmtp, "0-16");
    EXPECT_EQ(audio.attribute("crypto"), "1 AES_CM_128_HMAC_SHA1_80 inline:abc");
    EXPECT_EQ(audio.attribute("x-new"), "thing");
    EXPECT_EQ(audio.attributes.size(), 12U);
}

TEST(SdpSession, SectionsTakeDirectionAndAddressFromTheSession) {
    const auto text =
        with("a=inactive\nm=audio 4000 RTP/AVP 0\nm=audio 4002 RTP/AVP 0\na=sendrecv\n");
    const auto session = Session::parse(text);
    ASSERT_TRUE(session);
    EXPECT_EQ(session->media[0].direction, Direction::inactive);
    EXPECT_EQ(session->media[1].direction, Direction::sendrecv);
    EXPECT_EQ(session->media[1].rtcp_address()->text(), "192.0.2.1:4003");
}

TEST(SdpSession, SeesHoldInDirectionAndInTheNullAddress) {
    const auto held = [](std::string_view rest) {
        const auto text = with(rest);
        return Session::parse(text)->media.at(0).is_hold();
    };
    EXPECT_FALSE(held("m=audio 4000 RTP/AVP 0\n"));
    EXPECT_FALSE(held("m=audio 4000 RTP/AVP 0\na=recvonly\n"));
    EXPECT_TRUE(held("m=audio 4000 RTP/AVP 0\na=sendonly\n"));
    EXPECT_TRUE(held("m=audio 4000 RTP/AVP 0\na=inactive\n"));
    EXPECT_TRUE(held("m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\n"));
}

TEST(SdpSession, KeepsBundleGroupsAndMulticastAddresses) {
    const auto text = with(
        "a=group:BUNDLE a v\nm=audio 4000 RTP/AVP 0\nc=IN IP4 233.252.0.1/127/3\na=mid:a\n"
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:v\na=sctp-port:5000\n");
    const auto session = Session::parse(text);
    ASSERT_TRUE(session);
    ASSERT_NE(session->bundle(), nullptr);
    EXPECT_EQ(session->bundle()->mids, (std::vector<std::string_view>{"a", "v"}));
    EXPECT_EQ(session->media[0].connection->ttl, 127);
    EXPECT_EQ(session->media[0].connection->count, 3U);
    EXPECT_EQ(session->media[1].formats[0].token, "webrtc-datachannel");
    EXPECT_FALSE(session->media[1].is_rtp());
}

TEST(SdpSession, SaysWhatIsWrongAndWhere) {
    const auto error = [](std::string_view text) {
        const auto session = Session::parse(text);
        return session ? std::string("parsed") : session.error().text();
    };
    EXPECT_EQ(error(""), "SDP: expected 'v=0', got nothing");
    EXPECT_EQ(error("v=1\n"), "SDP line 1: expected 'v=0', got 'v=1'");
    EXPECT_EQ(error("v=0\ns=-\n"), "SDP: expected a line 'o=', none came");
    EXPECT_EQ(error("v=0\no=- 1 1 IN IP4\n"),
              "SDP line 2: expected 'o=user id version IN IP4|IP6 address', got '- 1 1 IN IP4'");
    EXPECT_EQ(error(with("m=audio 65536 RTP/AVP 0\n")),
              "SDP line 6: expected 'm=kind port protocol formats', got 'audio 65536 RTP/AVP 0'");
    EXPECT_EQ(error(with("m=audio 1 RTP/AVP 99\na=rtpmap:99 x\n")),
              "SDP line 7: expected 'rtpmap:type name/rate[/channels]', got '99 x'");
    EXPECT_EQ(error(with("hello\n")), "SDP line 6: expected 'x=value', got 'hello'");
}

TEST(SdpSession, HasBounds) {
    std::string sections(head), formats(head), lines(head);
    for (std::size_t i = 0; i <= max_media; ++i) sections += "m=audio 1 RTP/AVP 0\n";
    formats += "m=audio 1 RTP/AVP";
    for (std::size_t i = 0; i <= max_formats; ++i) formats += " 0";
    for (std::size_t i = 0; i <= max_lines; ++i) lines += "a=x\n";
    EXPECT_FALSE(Session::parse(sections));
    EXPECT_FALSE(Session::parse(formats));
    EXPECT_FALSE(Session::parse(lines));
    EXPECT_FALSE(Session::parse(std::string(max_size + 1, 'v')));
}

}  // namespace
}  // namespace strowger::sdp
