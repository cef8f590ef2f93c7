#include "relay/rtpp_flags.hpp"

#include <gtest/gtest.h>

#include "wire/ng/document.hpp"

namespace strowger::relay {
namespace {

struct Flags {
    explicit Flags(std::string_view written) : text(flags_document(written).value()) {}
    std::string text;
    ng::Document document = ng::Document::parse(text).value();
};

TEST(RtppFlags, WordsBecomeTheListOfFlags) {
    const Flags flags("replace-origin  loop-protect\tICE=remove");
    std::vector<std::string> words;
    flags.document.find("flags")->each(
        [&](const ng::Value& word) { words.emplace_back(*word.text()); });
    EXPECT_EQ(words, (std::vector<std::string>{"replace-origin", "loop-protect"}));
    EXPECT_EQ(flags.document.text_of("ICE"), "remove");
}

TEST(RtppFlags, BracketsNestAsListsAndDictionaries) {
    const Flags flags("codec=[transcode=[PCMA opus] strip=[EVS]] rtcp-mux=[offer require]");
    const auto codec = flags.document.find("codec");
    ASSERT_TRUE(codec);
    EXPECT_EQ(codec->kind(), ng::Kind::dictionary);
    EXPECT_EQ(codec->find("transcode")->size(), 2U);
    EXPECT_EQ(flags.document.find("rtcp-mux")->kind(), ng::Kind::list);
    EXPECT_EQ(flags.document.find("rtcp-mux")->size(), 2U);
}

TEST(RtppFlags, TwoHyphensAreAnEqualSignAndTwoDotsASpaceWithinValues) {
    const Flags flags("sdp=a--b..c plain--word");
    EXPECT_EQ(flags.document.text_of("sdp"), "a=b c");
    flags.document.find("flags")->each(
        [](const ng::Value& word) { EXPECT_EQ(word.text(), "plain--word"); });
}

TEST(RtppFlags, ItemsOfAListAreEscapedInTheSameWay) {
    const Flags flags("sdp-attr=[audio=[add=[fmtp:96..mode--1 plain]]]");
    std::vector<std::string> added;
    flags.document.find("sdp-attr")->find("audio")->find("add")->each([&](const ng::Value& word) {
        added.emplace_back(*word.text());
    });
    EXPECT_EQ(added, (std::vector<std::string>{"fmtp:96 mode=1", "plain"}));
}

TEST(RtppFlags, WhatIsNotClosedOrTooDeepIsRefused) {
    EXPECT_FALSE(flags_document("codec=[strip=[EVS]"));
    EXPECT_FALSE(flags_document("=x"));
    std::string deep = "a=";
    for (int i = 0; i < 20; ++i) deep += '[';
    deep += "x";
    for (int i = 0; i < 20; ++i) deep += ']';
    EXPECT_FALSE(flags_document(deep));
    EXPECT_FALSE(flags_document(std::string(max_flags_size + 1, 'a')));
}

}  // namespace
}  // namespace strowger::relay
