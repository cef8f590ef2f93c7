#include "base/ini.hpp"

#include <gtest/gtest.h>

namespace strowger::ini {
namespace {

using Texts = std::map<std::string, std::string>;

struct Read {
    MemoryFiles files;
    Diagnostics diagnostics;
    Document document;

    explicit Read(Texts texts, ReadOptions options = {})
        : files(std::move(texts)), document(read(files, "a.conf", options, diagnostics)) {}
    explicit Read(std::string text) : Read(Texts{{"a.conf", text}}) {}

    std::string get(std::string_view section, std::string_view key) const {
        const auto* found = document.find(section);
        return found ? std::string(found->get(key).value_or("(none)")) : "(no section)";
    }
};

TEST(Ini, EqualsAndArrowMeanTheSameAndValuesAreTrimmed) {
    const Read ini("[s]\n a =  x y  \nb=>\"q, r\"\nDIAL_TIMEOUT =,30\nempty =\n");
    EXPECT_EQ(ini.get("s", "a"), "x y");
    EXPECT_EQ(ini.get("s", "b"), "\"q, r\"");
    EXPECT_EQ(ini.get("s", "DIAL_TIMEOUT"), ",30");
    EXPECT_EQ(ini.get("s", "empty"), "");
    EXPECT_TRUE(ini.diagnostics.empty());
}

TEST(Ini, ASemicolonStartsACommentUnlessEscaped) {
    const Read ini("[s] ; header\na = \"one ; two\"\nb = 1\\;2\\;3 ; four\n");
    EXPECT_EQ(ini.get("s", "a"), "\"one");
    EXPECT_EQ(ini.get("s", "b"), "1;2;3");
}

TEST(Ini, BlockCommentsNestAndLeaveWhatStandsAround) {
    const Read ini(
        "[s]\na = 1;-- x\nb = 2\n;-- inner --;\nc = 3\n--; d = 4\n"
        ";---- a ruler ----\ne = ;-- mid --; 5\n");
    EXPECT_EQ(ini.get("s", "a"), "1");
    EXPECT_EQ(ini.get("s", "b"), "(none)");
    EXPECT_EQ(ini.get("s", "c"), "(none)");
    EXPECT_EQ(ini.get("s", "d"), "4");
    EXPECT_EQ(ini.get("s", "e"), "5");
    EXPECT_TRUE(ini.diagnostics.empty()) << ini.diagnostics.text();
}

TEST(Ini, AnUnterminatedBlockCommentIsWarnedAbout) {
    const Read ini("[s]\na = 1\n;-- lost\nb = 2\n");
    EXPECT_TRUE(ini.diagnostics.ok());
    EXPECT_EQ(ini.diagnostics.text(),
              "a.conf:4: the block comment that begins in line 3 has no end\n");
}

TEST(Ini, TemplatesAreInvisibleAndInheritedInOrder) {
    const Read ini("[t](!)\na = 1\nb = 1\n[u](!)\nb = 2\n[s](t,u)\nc = 3\n[r](s)\nb = 9\n");
    EXPECT_EQ(ini.document.sections().size(), 2u);
    EXPECT_EQ(ini.get("s", "a"), "1");
    EXPECT_EQ(ini.get("s", "b"), "2");
    EXPECT_EQ(ini.get("r", "b"), "9");
    EXPECT_EQ(ini.document.find("r")->all("B"), (std::vector<std::string_view>{"1", "2", "9"}));
}

TEST(Ini, PlusAppendsToASectionOfAnIncludedFileInAnyCase) {
    const Read ini(
        Texts{{"a.conf", "#include \"b.conf\"\n[X](+)\nb = 2\n"}, {"b.conf", "[x]\na = 1\n"}});
    EXPECT_EQ(ini.document.sections().size(), 1u);
    EXPECT_EQ(ini.get("x", "a"), "1");
    EXPECT_EQ(ini.get("x", "b"), "2");
}

TEST(Ini, PlusWithoutASectionAndAnUnknownBaseAreErrorsThatSuggest) {
    const Read ini("[one]\n[onne](+)\na = 1\n[two](onee)\nb = 2\n");
    EXPECT_EQ(ini.diagnostics.errors(), 2u);
    EXPECT_EQ(ini.diagnostics.all()[0].message(),
              "a.conf:2: [onne](+) has no section to append to (did you mean 'one'?)");
    EXPECT_EQ(
        ini.diagnostics.all()[1].message(),
        "a.conf:4: [two] inherits from 'onee', which is not defined above (did you mean 'one'?)");
}

TEST(Ini, TheSameHeaderTwiceGivesTwoSections) {
    const Read ini("[a]\ntype=aor\n[a]\ntype=auth\n");
    EXPECT_EQ(ini.document.sections().size(), 2u);
}

TEST(Ini, PlusEqualsAppendsToTheMostRecentValue) {
    const Read ini("[s]\na = 1\na = 2\na += 3\n\\#b = 4\nnew += 5\n");
    EXPECT_EQ(ini.get("s", "a"), "23");
    EXPECT_EQ(ini.document.find("s")->all("a").size(), 2u);
    EXPECT_EQ(ini.get("s", "#b"), "4");
    EXPECT_EQ(ini.get("s", "new"), "5");
}

TEST(Ini, AnIncludeWithinASectionAddsToItAndTheSectionGoesOn) {
    const Read ini(Texts{{"a.conf", "[g]\na = 1\n#include <b.conf>\nc = 3\n"},
                         {"b.conf", "b = 2\n[other]\nx = 1\n"}});
    EXPECT_EQ(ini.get("g", "b"), "2");
    EXPECT_EQ(ini.get("g", "c"), "3");
    EXPECT_EQ(ini.get("other", "x"), "1");
    EXPECT_EQ(ini.document.where(ini.document.find("g")->find("b")->place), "b.conf:1");
    EXPECT_EQ(ini.document.where(ini.document.find("g")->find("c")->place), "a.conf:4");
}

TEST(Ini, GlobsIncludeEveryMatchAndTryIncludeIsSilent) {
    const Read ini(Texts{{"/etc/a.conf", "#tryinclude none.conf\n#include d/*.conf\n"},
                         {"/etc/d/1.conf", "[a]\n"},
                         {"/etc/d/2.conf", "[b]\n"},
                         {"/etc/d/2.txt", "[c]\n"}},
                   {false, "/etc"});
    EXPECT_EQ(ini.document.sections().size(), 2u);
    EXPECT_TRUE(ini.diagnostics.empty()) << ini.diagnostics.text();
    EXPECT_EQ(ini.document.where(ini.document.find("b")->place), "d/2.conf:1");
}

TEST(Ini, AMissingIncludeIsAnError) {
    const Read ini("[s]\n#include gone.conf\n");
    EXPECT_EQ(ini.diagnostics.text(), "a.conf:2: the included file 'gone.conf' does not exist\n");
    EXPECT_FALSE(ini.diagnostics.ok());
}

TEST(Ini, FilesThatIncludeThemselvesStopAtTheDepthLimit) {
    const Read ini("[s]\na = 1\n#include a.conf\n");
    EXPECT_FALSE(ini.diagnostics.ok());
    EXPECT_EQ(ini.document.files().size(), max_include_depth + 1);
}

TEST(Ini, FilesThatIncludeThemselvesOftenAreStillReadOnlyAsDeepAsThat) {
    const Read ini("[s]\n#include a.conf\n#include a.conf\n#include *.conf\nb = 1\n");
    EXPECT_EQ(ini.document.files().size(), max_include_depth + 1);
    EXPECT_EQ(ini.diagnostics.errors(), 1u);
    EXPECT_EQ(ini.get("s", "b"), "1");  // what else is wrong is still looked for
}

TEST(Ini, ExecIsObeyedOnlyWhenAllowed) {
    const Read closed("[s]\n#exec echo a=1\n");
    EXPECT_TRUE(closed.diagnostics.ok());
    EXPECT_EQ(closed.diagnostics.all().size(), 1u);
    const Read open(Texts{{"a.conf", "[s]\n#exec echo a=1\n"}}, {true, ""});
    EXPECT_FALSE(open.diagnostics.ok());  // allowed, but memory runs nothing
}

TEST(Ini, ALongLineIsSkippedAndAByteOrderMarkToo) {
    const Read ini("\xef\xbb\xbf[s]\na = " + std::string(max_line, 'x') + "\nb = 2\nno equals\n");
    EXPECT_EQ(ini.get("s", "a"), "(none)");
    EXPECT_EQ(ini.get("s", "b"), "2");
    EXPECT_EQ(ini.diagnostics.all().size(), 2u);
    EXPECT_TRUE(ini.diagnostics.ok());
}

TEST(Ini, TemplatesThatDoubleEachOtherAreStopped) {
    std::string text = "[t0](!)\na = 1\n";
    for (int i = 1; i < 40; ++i) text += fmt::format("[t{}](!,t{},t{})\n", i, i - 1, i - 1);
    const Read ini(text);
    EXPECT_FALSE(ini.diagnostics.ok());
    EXPECT_EQ(ini.diagnostics.all().front().message(),
              "a.conf:12: [t10] inherits more than 1000 settings");
    EXPECT_EQ(ini.document.all_sections().at(9).entries.size(), 512u);
    EXPECT_EQ(ini.document.all_sections().at(10).entries.size(), 512u);
}

}  // namespace
}  // namespace strowger::ini
