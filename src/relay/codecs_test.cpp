#include "relay/codecs.hpp"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "relay/request.hpp"

namespace strowger::relay {
namespace {

using Names = std::vector<std::string_view>;
using Kind = media::Recoder::Way::Kind;

std::string description(std::string_view formats, std::string_view lines = "") {
    return fmt::format(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        "m=audio 4000 RTP/AVP {}\r\n{}",
        formats, lines);
}

/// Two parties and the relay between them.
struct Talk {
    Request request;
    SectionCodecs caller, callee;
    std::string text;

    std::string put(const sdp::Media& media, const std::vector<Written>& written) {
        std::string out;
        for (const auto& format : written) {
            std::string name;
            if (format.own) {
                name = fmt::format("{}/{}", format.own->name, format.own->clock_rate);
            } else {
                for (const auto& came : media.formats)
                    if (came.token == format.from)
                        name = fmt::format("{}/{}", came.name, came.clock_rate);
            }
            out += fmt::format("{}{} {}", out.empty() ? "" : ", ", format.token, name);
        }
        return out;
    }
    std::string offer(std::string_view formats, std::string_view lines = "") {
        caller.engaged = callee.engaged = wants_recoding(request);
        text = description(formats, lines);
        const auto sdp = sdp::Session::parse(text).value();
        return put(sdp.media[0], offered_formats(sdp.media[0], request, caller, callee));
    }
    std::string answer(std::string_view formats, std::string_view lines = "") {
        text = description(formats, lines);
        const auto sdp = sdp::Session::parse(text).value();
        return put(sdp.media[0], answered_formats(sdp.media[0], request, callee, caller));
    }
    /// How the type goes from one to the other; `pass` when all does.
    Kind way(const SectionCodecs& from, const SectionCodecs& to, std::uint8_t type) {
        const auto plan = recoding(from, to);
        if (!plan) return Kind::pass;
        for (const auto& way : plan->ways)
            if (way.in.type == type) return way.kind;
        return Kind::drop;
    }
};

constexpr std::string_view event_101 = "a=rtpmap:101 telephone-event/8000\r\n";

TEST(Codecs, AnAddedCodecIsOfferedBehindTheOthersAndTheOffererGetsItsOwnBack) {
    Talk talk;
    talk.request.codec.transcode = {"PCMA"};
    EXPECT_EQ(talk.offer("0"), "0 PCMU/8000, 8 PCMA/8000");
    EXPECT_EQ(talk.answer("8"), "0 PCMU/8000");
    EXPECT_EQ(talk.way(talk.caller, talk.callee, 0), Kind::translate);
    EXPECT_EQ(talk.way(talk.callee, talk.caller, 8), Kind::translate);
}

TEST(Codecs, WhatBothHaveIsNotTranscoded) {
    Talk talk;
    talk.request.codec.transcode = {"opus"};
    talk.offer("0 8");
    EXPECT_EQ(talk.answer("8 0"), "8 PCMA/8000, 0 PCMU/8000");
    EXPECT_FALSE(recoding(talk.caller, talk.callee));
}

TEST(Codecs, NumbersOfAddedCodecsAreFreeOnesAndKeysComeInTheirClock) {
    Talk talk;
    talk.request.codec.transcode = {"opus", "AMR-WB"};
    EXPECT_EQ(
        talk.offer("0 96 101", "a=rtpmap:96 speex/16000\r\na=rtpmap:101 telephone-event/8000\r\n"),
        "0 PCMU/8000, 96 speex/16000, 97 opus/48000, 98 AMR-WB/16000, "
        "99 telephone-event/16000, 100 telephone-event/48000, 101 telephone-event/8000");
    EXPECT_EQ(
        talk.answer("97 100", "a=rtpmap:97 opus/48000/2\r\na=rtpmap:100 telephone-event/48000\r\n"),
        "0 PCMU/8000, 101 telephone-event/8000");
    EXPECT_EQ(talk.way(talk.caller, talk.callee, 101), Kind::event);
    EXPECT_EQ(talk.way(talk.callee, talk.caller, 100), Kind::event);
}

TEST(Codecs, ACodecKeepsItsNumberOverOffers) {
    Talk talk;
    talk.request.codec.transcode = {"opus"};
    EXPECT_EQ(talk.offer("0"), "0 PCMU/8000, 96 opus/48000");
    talk.request.codec.transcode = {"speex/16000", "opus"};
    EXPECT_EQ(talk.offer("0"), "0 PCMU/8000, 97 speex/16000, 96 opus/48000");
}

TEST(Codecs, MaskedCodecsAreKeptFromTheAnswererAndTakenFromTheOfferer) {
    Talk talk;
    talk.request.codec.transcode = {"GSM"};
    talk.request.codec.mask = {"PCMU"};
    EXPECT_EQ(talk.offer("0 8"), "8 PCMA/8000, 3 GSM/8000");
    EXPECT_EQ(talk.answer("3"), "0 PCMU/8000");
    talk.offer("0 8");
    EXPECT_EQ(talk.answer("8"), "8 PCMA/8000");
}

TEST(Codecs, ConsumedCodecsAreUsedEvenWhereThereIsACommonOne) {
    Talk talk;
    talk.request.codec.consume = {"PCMU"};
    EXPECT_EQ(talk.offer("0 8"), "8 PCMA/8000");
    EXPECT_EQ(talk.answer("8"), "0 PCMU/8000");
    EXPECT_EQ(talk.way(talk.caller, talk.callee, 0), Kind::translate);
}

TEST(Codecs, AcceptedCodecsAreOfferedAndTakenWhateverTheAnswerSays) {
    Talk talk;
    talk.request.codec.accept = {"PCMU"};
    EXPECT_EQ(talk.offer("0 8"), "0 PCMU/8000, 8 PCMA/8000");
    EXPECT_EQ(talk.answer("8"), "0 PCMU/8000");
}

TEST(Codecs, AStrippedCodecIsNoMoreSpokenButForOneThatMustBe) {
    Talk talk;
    talk.request.codec.strip = {"PCMU"};
    talk.request.codec.transcode = {"GSM"};
    EXPECT_EQ(talk.offer("0 8"), "8 PCMA/8000, 3 GSM/8000");
    EXPECT_EQ(talk.answer("3"), "8 PCMA/8000");
    talk.request.codec.strip = {"all"};
    EXPECT_EQ(talk.offer("0 8"), "3 GSM/8000");
    EXPECT_EQ(talk.answer("3"), "0 PCMU/8000");
}

TEST(Codecs, WhereKeysAreAddedTonesAreHeardAndEventsSounded) {
    Talk talk;
    talk.request.codec.transcode = {"telephone-event"};
    EXPECT_EQ(talk.offer("0"), "0 PCMU/8000, 96 telephone-event/8000");
    EXPECT_EQ(talk.answer("0 96", "a=rtpmap:96 telephone-event/8000\r\n"), "0 PCMU/8000");
    const auto there = recoding(talk.caller, talk.callee);
    ASSERT_TRUE(there);
    EXPECT_TRUE(there->detects);
    EXPECT_EQ(there->event->type, 96);
    EXPECT_EQ(talk.way(talk.callee, talk.caller, 96), Kind::tone);
}

TEST(Codecs, AlwaysTranscodeKeepsKeysThatTheAnswererDoesNotHave) {
    Talk talk;
    talk.request.always_transcode = true;
    talk.offer("0 101", event_101);
    EXPECT_EQ(talk.answer("0"), "0 PCMU/8000, 101 telephone-event/8000");
    EXPECT_EQ(talk.way(talk.caller, talk.callee, 101), Kind::tone);
    const auto back = recoding(talk.callee, talk.caller);
    ASSERT_TRUE(back);
    EXPECT_TRUE(back->detects);
}

TEST(Codecs, PacketTimesArePacketTimesOfEachSide) {
    Talk talk;
    talk.request.ptime = 30;
    talk.request.ptime_reverse = 40;
    talk.offer("0");
    EXPECT_EQ(talk.answer("0"), "0 PCMU/8000");
    EXPECT_EQ(recoding(talk.caller, talk.callee)->packet_ms, 30U);
    EXPECT_EQ(recoding(talk.callee, talk.caller)->packet_ms, 40U);
    EXPECT_EQ(talk.way(talk.caller, talk.callee, 0), Kind::recode);
}

TEST(Codecs, AnOfferThatDoesNotSpeakOfCodecsLeavesWhatWasArranged) {
    Talk talk;
    talk.request.codec.transcode = {"PCMA"};
    talk.offer("0");
    talk.answer("8");
    talk.request.codec = {};
    std::swap(talk.caller, talk.callee);  // the callee offers
    talk.text = description("8");
    const auto sdp = sdp::Session::parse(talk.text).value();
    talk.caller.goes_on = true;
    EXPECT_EQ(talk.put(sdp.media[0],
                       offered_formats(sdp.media[0], talk.request, talk.caller, talk.callee)),
              "8 PCMA/8000, 0 PCMU/8000");
    EXPECT_EQ(talk.answer("0"), "8 PCMA/8000");
    EXPECT_EQ(talk.way(talk.caller, talk.callee, 8), Kind::translate);
}

TEST(Codecs, WhatNobodyHereCanMakeIsNotAdded) {
    Talk talk;
    talk.request.codec.transcode = {"EVS", "no/such", "PCMA"};
    EXPECT_EQ(talk.offer("0"), "0 PCMU/8000, 8 PCMA/8000");
    EXPECT_EQ(talk.offer("96", "a=rtpmap:96 EVS/16000\r\n"), "96 EVS/16000");
}

TEST(Codecs, SettingsConcernTheEncoderAlone) {
    Talk talk;
    talk.request.codec.transcode = {"opus/48000/2/16000/40"};
    EXPECT_EQ(talk.offer("0"), "0 PCMU/8000, 96 opus/48000");
    talk.answer("96", "a=rtpmap:96 opus/48000/2\r\n");
    const auto plan = recoding(talk.caller, talk.callee);
    ASSERT_TRUE(plan);
    EXPECT_EQ(plan->packet_ms, 40U);
    EXPECT_EQ(sdp::fmtp_value(plan->out.codec.fmtp, "maxaveragebitrate"), "16000");
}

media::Recoder::Plan plan_of(const SectionCodecs& from, const SectionCodecs& to,
                             const media::Pauses& pauses = {},
                             const media::Recoder::Keys& keys = {}) {
    return recoding(from, to, pauses, keys).value_or(media::Recoder::Plan{});
}

Kind kind_of(const media::Recoder::Plan& plan, std::uint8_t type) {
    for (const auto& way : plan.ways)
        if (way.in.type == type) return way.kind;
    return Kind::drop;
}

TEST(Codecs, NoiseIsMadeForWhoHasNoneWhereSoundIsMadeAnyway) {
    Talk talk;
    talk.request.codec.transcode = {"L16/16000", "PCMA"};
    EXPECT_EQ(talk.offer("0 13"), "0 PCMU/8000, 96 L16/16000, 8 PCMA/8000, 13 CN/8000");
    EXPECT_EQ(talk.answer("96", "a=rtpmap:96 L16/16000\r\n"), "0 PCMU/8000, 13 CN/8000");
    EXPECT_EQ(talk.way(talk.caller, talk.callee, 13), Kind::noise);
    // One law becomes the other byte by byte, with noise nobody has.
    talk.offer("0 13");
    EXPECT_EQ(talk.answer("8"), "0 PCMU/8000");
    EXPECT_EQ(talk.way(talk.caller, talk.callee, 0), Kind::translate);
    talk.offer("0 13");
    EXPECT_EQ(talk.answer("8 13"), "0 PCMU/8000, 13 CN/8000");
    EXPECT_EQ(talk.way(talk.caller, talk.callee, 0), Kind::translate);
    EXPECT_EQ(talk.way(talk.caller, talk.callee, 13), Kind::pass);
    // Where silence is to be told, there must be samples to look at.
    const auto plan = plan_of(talk.caller, talk.callee, {.silent_below = 10});
    EXPECT_EQ(kind_of(plan, 0), Kind::recode);
    ASSERT_TRUE(plan.noise);
    EXPECT_EQ(plan.noise->type, 13);
}

TEST(Codecs, NoiseThatIsAskedForIsMadeBetweenTwoOfOneCodec) {
    Talk talk;
    talk.request.codec.transcode = {"CN"};
    EXPECT_EQ(talk.offer("0"), "0 PCMU/8000, 13 CN/8000");
    EXPECT_EQ(talk.answer("0 13"), "0 PCMU/8000");
    EXPECT_EQ(talk.way(talk.callee, talk.caller, 13), Kind::noise);
    EXPECT_EQ(talk.way(talk.callee, talk.caller, 0), Kind::recode);
    EXPECT_FALSE(recoding(talk.caller, talk.callee));  // nothing looks for silence
    EXPECT_TRUE(plan_of(talk.caller, talk.callee, {.silent_below = 10}).noise);
}

TEST(Codecs, KeysThatAreReplacedAreMadeAnewAndSoIsSoundInTheirPlace) {
    using Mode = media::Recoder::Keys::Mode;
    const std::vector<sdp::Payload> both{{0, {"PCMU"}}, {101, {"telephone-event"}}},
        voice{{0, {"PCMU"}}}, unknown{{96, {"EVS", 16000}}, {101, {"telephone-event"}}};
    SectionCodecs one{.engaged = true, .sends = both, .takes = both};
    EXPECT_FALSE(recoding(one, one));
    auto plan = plan_of(one, one, {}, {.mode = Mode::event});
    EXPECT_EQ(kind_of(plan, 101), Kind::event);
    EXPECT_EQ(kind_of(plan, 0), Kind::pass);
    plan = plan_of(one, one, {}, {.mode = Mode::silence});
    EXPECT_EQ(kind_of(plan, 101), Kind::tone);
    EXPECT_EQ(kind_of(plan, 0), Kind::recode);
    // Tones of who has no events are looked for.
    const SectionCodecs plain{.engaged = true, .sends = voice, .takes = voice};
    EXPECT_TRUE(plan_of(plain, plain, {}, {.mode = Mode::random}).detects);
    // Where nothing can be made, a key is dropped rather than told.
    const SectionCodecs other{.engaged = true, .sends = unknown, .takes = unknown};
    EXPECT_EQ(kind_of(plan_of(other, other, {}, {.mode = Mode::tone}), 101), Kind::drop);
    EXPECT_EQ(kind_of(plan_of(other, other, {}, {.mode = Mode::tone}), 96), Kind::pass);
}

}  // namespace
}  // namespace strowger::relay
