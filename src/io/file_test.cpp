#include "io/file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "io/test_directory.hpp"

namespace strowger::io {
namespace {

using namespace std::chrono_literals;

TEST(File, ReplacesWholeAndLeavesNothingBeside) {
    const TestDirectory directory;
    const auto path = directory.path + "/a";
    ASSERT_TRUE(replace_file(path, "one", 0600));
    ASSERT_TRUE(replace_file(path, std::string("t\0o", 3), 0640));
    EXPECT_EQ(read_file(path).value(), std::string("t\0o", 3));
    EXPECT_EQ(list_directory(directory.path).value(), std::vector<std::string>{"a"});
    const auto failed = replace_file(directory.path + "/no/where", "x");
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code(), ENOENT);
}

TEST(File, ReadsNoMoreThanItsBound) {
    const TestDirectory directory;
    const auto path = directory.path + "/a";
    ASSERT_TRUE(append_file(path, "12345"));
    ASSERT_TRUE(append_file(path, "678"));
    EXPECT_EQ(read_file(path, 8).value(), "12345678");
    EXPECT_EQ(read_file(path, 7).error().code(), EFBIG);
    EXPECT_EQ(read_file("/dev/zero", 1000).error().code(), EFBIG);
    EXPECT_EQ(read_file(directory.path).error().code(), EISDIR);
    EXPECT_EQ(read_file(path + "x").error().text(), path + "x: open: No such file or directory");
    EXPECT_EQ(file_info(path)->size, 8u);
}

TEST(File, MakesListsAndMatches) {
    const TestDirectory directory;
    ASSERT_TRUE(make_directories(directory.path + "/x/y/z/"));
    ASSERT_TRUE(make_directories(directory.path + "/x/y/z"));
    for (const auto name : {"b.conf", "a.conf", "c.txt"})
        ASSERT_TRUE(replace_file(directory.path + "/x/" + name, ""));
    EXPECT_EQ(match_files(directory.path + "/x/*.conf"),
              (std::vector{directory.path + "/x/a.conf", directory.path + "/x/b.conf"}));
    EXPECT_TRUE(match_files(directory.path + "/none*").empty());
    EXPECT_EQ(make_directories(directory.path + "/x/c.txt").error().code(), ENOTDIR);
    EXPECT_TRUE(remove_file(directory.path + "/x/c.txt"));
    EXPECT_TRUE(remove_file(directory.path + "/x/c.txt"));
}

TEST(DirectoryWatch, TellsWhatComesAndGoes) {
    const TestDirectory directory;
    const TestDirectory other;
    Loop loop;
    using Change = DirectoryWatch::Change;
    std::vector<std::pair<Change, std::string>> seen;
    auto watch = DirectoryWatch::open(loop, directory.path, [&](Change change, const auto& name) {
                     seen.emplace_back(change, name);
                 }).value();
    ASSERT_TRUE(append_file(directory.path + "/w", "x"));
    ASSERT_TRUE(append_file(other.path + "/m", "x"));
    ASSERT_TRUE(rename_file(other.path + "/m", directory.path + "/m"));
    ASSERT_TRUE(remove_file(directory.path + "/w"));
    ASSERT_TRUE(loop.run_until([&] { return seen.size() >= 3; }, 2s));
    EXPECT_EQ(seen, (std::vector<std::pair<Change, std::string>>{
                        {Change::written, "w"}, {Change::moved_in, "m"}, {Change::gone, "w"}}));
    EXPECT_FALSE(DirectoryWatch::open(loop, directory.path + "/m", {}));
}

}  // namespace
}  // namespace strowger::io
