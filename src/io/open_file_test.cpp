#include "io/open_file.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include "base/bytes.hpp"
#include "io/file.hpp"
#include "io/test_directory.hpp"

namespace strowger::io {
namespace {

TEST(OpenFile, GivesBackWhatWasWrittenFromAnywhereInIt) {
    const TestDirectory directory;
    const auto path = directory.path + "/sound";
    {
        auto file = OpenFile::open(path, OpenFile::Mode::create);
        ASSERT_TRUE(file);
        ASSERT_TRUE(file->write(as_bytes("0123456789")));
        EXPECT_EQ(file->size(), 10u);  // what is still in the buffer counts
        ASSERT_TRUE(file->seek(4));
        ASSERT_TRUE(file->write(as_bytes("ab")));
        ASSERT_TRUE(file->close());
        EXPECT_FALSE(file->is_open());
    }
    EXPECT_EQ(read_file(path), "0123ab6789");
    auto file = OpenFile::open(path, OpenFile::Mode::read);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->seek(7));
    std::array<std::uint8_t, 8> piece{};
    EXPECT_EQ(file->read(piece), 3u);  // the end
    EXPECT_EQ(piece[2], '9');
}

TEST(OpenFile, UpdatesWhatExistsAndOnlyThat) {
    const TestDirectory directory;
    const auto path = directory.path + "/sound";
    const auto missing = OpenFile::open(path, OpenFile::Mode::update);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code(), ENOENT);
    EXPECT_NE(missing.error().text().find(path), std::string::npos);
    ASSERT_TRUE(append_file(path, "abc"));
    auto file = OpenFile::open(path, OpenFile::Mode::update);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->seek(1));
    ASSERT_TRUE(file->write(as_bytes("X")));
    ASSERT_TRUE(file->close());
    EXPECT_EQ(read_file(path), "aXc");
}

}  // namespace
}  // namespace strowger::io
