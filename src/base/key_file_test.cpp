#include "base/key_file.hpp"

#include <gtest/gtest.h>

namespace strowger::ini {
namespace {

TEST(KeyFile, ASemicolonIsPartOfTheValueAndCommentsAreWholeLines) {
    MemoryFiles files;
    files.put("a.conf",
              "# one\n#include nothing\n ; two\n[s]\n"
              "a = in/10.0.0.1;out/10.0.0.2!1.2.3.4 ; x\nb = 1 # two\nc = 1\\;2\r\n");
    KeyFiles keys(files);
    Diagnostics diagnostics;
    const auto document = read(keys, "a.conf", {}, diagnostics);
    const auto* section = document.find("s");
    ASSERT_NE(section, nullptr);
    EXPECT_EQ(section->get("a"), "in/10.0.0.1;out/10.0.0.2!1.2.3.4 ; x");
    EXPECT_EQ(section->get("b"), "1 # two");
    EXPECT_EQ(section->get("c"), "1;2");
    EXPECT_EQ(section->find("c")->place.line, 7U);
    EXPECT_TRUE(diagnostics.empty());
}

}  // namespace
}  // namespace strowger::ini
