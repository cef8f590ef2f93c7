#include "wire/zip/zip.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace strowger::zip {
namespace {

TEST(Zip, AnEmptyArchiveIsItsEndRecord) {
    EXPECT_EQ(write({}), std::string("PK\5\6") + std::string(18, '\0'));
    EXPECT_TRUE(read(write({}), 0)->empty());
}

TEST(Zip, AStoredFileStandsInTheArchiveAsTheFormatSays) {
    // CRC-32 of "hello" is 0x3610a686.
    const std::string local(
        "PK\3\4\x14\0\0\x08\0\0\0\0\x21\0\x86\xa6\x10\x36\5\0\0\0\5\0\0\0\1\0\0\0", 30);
    const auto archive = write({{"f", "hello"}});
    EXPECT_EQ(archive.substr(0, 36), local + "fhello");
    const auto files = read(archive, 5);
    ASSERT_TRUE(files) << files.error().text();
    ASSERT_EQ(files->size(), 1u);
    EXPECT_EQ(files->front().name, "f");
    EXPECT_EQ(files->front().bytes, "hello");
}

// A deflated archive that Python's zipfile made: a folder "d/", and "d/a" with 100 times "x".
TEST(Zip, ReadsWhatAnotherPacked) {
    const auto path = std::filesystem::temp_directory_path() / "strowger_zip_test.zip";
    const auto command = "python3 -c \"import zipfile; z = zipfile.ZipFile('" + path.string() +
                         "', 'w', zipfile.ZIP_DEFLATED); z.writestr('d/', ''); "
                         "z.writestr('d/a', 'x' * 100); z.comment = b'PK'; z.close()\"";
    if (std::system(command.c_str()) != 0) GTEST_SKIP() << "python3 is not installed";
    std::ifstream in(path, std::ios::binary);
    const std::string archive{std::istreambuf_iterator<char>(in), {}};
    std::filesystem::remove(path);
    const auto files = read(archive, 100);
    ASSERT_TRUE(files) << files.error().text();
    ASSERT_EQ(files->size(), 1u);
    EXPECT_EQ(files->front().name, "d/a");
    EXPECT_EQ(files->front().bytes, std::string(100, 'x'));
    EXPECT_FALSE(read(archive, 99));
}

TEST(Zip, WhatIsCutOrChangedIsRefusedAndNothingElse) {
    const auto archive = write({{"one", "first"}, {"two", "second"}});
    for (std::size_t length = 0; length < archive.size(); ++length)
        EXPECT_FALSE(read(archive.substr(0, length), 100)) << length;
    for (std::size_t at = 0; at < archive.size(); ++at) {
        auto changed = archive;
        changed[at] = static_cast<char>(changed[at] ^ 0xff);
        (void)read(changed, 100);
    }
    auto content = archive;
    content[33] ^= 1;  // of "first"
    EXPECT_FALSE(read(content, 100));
    EXPECT_FALSE(read(archive, 10));
}

}  // namespace
}  // namespace strowger::zip
