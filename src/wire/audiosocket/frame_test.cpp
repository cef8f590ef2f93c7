#include "wire/audiosocket/frame.hpp"

#include <gtest/gtest.h>

namespace strowger::audiosocket {
namespace {

TEST(AudioSocket, KnowsTheTextOfAnId) {
    const auto id = parse_id("40325ec2-5efd-4BD3-805f-53576e581d13");
    ASSERT_TRUE(id);
    EXPECT_EQ((*id)[0], 0x40);
    EXPECT_EQ((*id)[6], 0x4b);
    EXPECT_EQ((*id)[15], 0x13);
    for (const auto* wrong : {"", "40325ec2", "40325ec2-5efd-4bd3-805f-53576e581d1x",
                              "40325ec2x5efd-4bd3-805f-53576e581d13"})
        EXPECT_FALSE(parse_id(wrong)) << wrong;
}

TEST(AudioSocket, PutsTypeAndLengthBeforeWhatItSends) {
    const std::vector<std::int16_t> samples{1, -2, 0x1234};
    EXPECT_EQ(audio_frame(samples), std::string("\x10\x00\x06\x01\x00\xfe\xff\x34\x12", 9));
    EXPECT_EQ(digit_frame('5'), std::string("\x03\x00\x01\x35", 4));
    EXPECT_EQ(terminate_frame(), std::string(3, '\0'));
}

TEST(AudioSocket, ReadsFramesHoweverTheBytesCome) {
    const auto text =
        digit_frame('#') + audio_frame(std::vector<std::int16_t>{7, -7}) + terminate_frame();
    Reader reader;
    std::vector<std::uint8_t> types;
    for (const char byte : text) {
        reader.feed(as_bytes(std::string_view(&byte, 1)));
        while (const auto frame = reader.next()) {
            types.push_back(frame->type);
            if (frame->type == 0x10)
                EXPECT_EQ(samples_of(*frame), (std::vector<std::int16_t>{7, -7}));
        }
    }
    EXPECT_EQ(types, (std::vector<std::uint8_t>{0x03, 0x10, 0x00}));
}

}  // namespace
}  // namespace strowger::audiosocket
