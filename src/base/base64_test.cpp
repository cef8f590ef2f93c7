#include "base/base64.hpp"

#include <gtest/gtest.h>

namespace strowger {
namespace {

TEST(Base64, IsThatOfRfc4648Section10) {
    const std::pair<std::string_view, std::string_view> examples[] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, text] : examples) {
        EXPECT_EQ(to_base64(as_bytes(plain), Padding::written), text);
        EXPECT_EQ(as_text(from_base64(text).value()), plain);
        const auto bare = text.substr(0, text.find('='));
        EXPECT_EQ(to_base64(as_bytes(plain), Padding::omitted), bare);
        EXPECT_EQ(as_text(from_base64(bare).value()), plain);
    }
    for (const auto wrong : {"Z", "Zg=", "Zh==", "Zm9=v", "Zm9v\n", "===="}) {
        EXPECT_FALSE(from_base64(wrong)) << wrong;
    }
}

}  // namespace
}  // namespace strowger
