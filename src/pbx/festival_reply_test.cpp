#include "pbx/festival_reply.hpp"

#include <gtest/gtest.h>

namespace strowger::pbx {
namespace {

// As festival 2.5 has answered, the sound shortened.
constexpr std::string_view answer =
    "WV\nRIFF....ft_StUfF_keyLP\n#<Utterance 0x7f>\nft_StUfF_keyOK\nER\n";

TEST(FestivalReply, HasTheSoundWhateverPiecesItComesIn) {
    for (std::size_t size = 1; size <= answer.size(); ++size) {
        FestivalReply reply;
        auto state = FestivalReply::State::open;
        for (std::size_t at = 0; at < answer.size(); at += size)
            state = reply.feed(as_bytes(answer.substr(at, size)));
        EXPECT_EQ(state, FestivalReply::State::done);
        EXPECT_EQ(reply.waveform(), "RIFF....");
    }
}

TEST(FestivalReply, AKeyWithinTheSoundIsUnstuffed) {
    FestivalReply reply;
    EXPECT_EQ(reply.feed(as_bytes("WV\naft_StUfF_kXeybft_StUfF_keyOK\n")),
              FestivalReply::State::done);
    EXPECT_EQ(reply.waveform(), "aft_StUfF_keyb");
}

TEST(FestivalReply, ErrorsAndOtherServersAreRefused) {
    FestivalReply error;
    EXPECT_EQ(error.feed(as_bytes("ER\n")), FestivalReply::State::refused);
    FestivalReply web;
    EXPECT_EQ(web.feed(as_bytes("HTTP/1.1 400")), FestivalReply::State::refused);
}

TEST(FestivalCommand, TextCannotLeaveItsQuotes) {
    EXPECT_EQ(festival_command("(say \"%s\")(quit)\\n", "a \"b\") (system \\"),
              "(say \"a \\\"b\\\") (system \\\\\")(quit)\n");
    EXPECT_EQ(festival_command("%s", "a\nb"), "a b");
}

}  // namespace
}  // namespace strowger::pbx
