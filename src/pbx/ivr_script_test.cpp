#include "pbx/ivr_script.hpp"

#include <gtest/gtest.h>

namespace strowger::pbx {
namespace {

TEST(IvrScript, CommandsComeInPiecesAndSeveralAtOnce) {
    IvrReader reader;
    EXPECT_TRUE(reader.feed(as_bytes("S,hel")));
    EXPECT_FALSE(reader.next());
    EXPECT_TRUE(reader.feed(as_bytes("lo\r\nV,A=1,B=2\n\nI\n")));
    const auto play = reader.next();
    ASSERT_TRUE(play);
    EXPECT_EQ(play->letter, 'S');
    EXPECT_EQ(play->data, "hello");
    const auto set = reader.next();
    ASSERT_TRUE(set);
    EXPECT_EQ(set->data, "A=1,B=2");
    const auto stop = reader.next();
    ASSERT_TRUE(stop);
    EXPECT_EQ(stop->letter, 'I');
    EXPECT_EQ(stop->data, "");
    EXPECT_FALSE(reader.next());
}

TEST(IvrScript, EndlessLinesAndFloodsAreRefused) {
    IvrReader lines;
    EXPECT_FALSE(lines.feed(as_bytes(std::string(IvrReader::max_line + 1, 'x'))));
    IvrReader floods;
    std::string flood;
    for (std::size_t i = 0; i <= IvrReader::max_waiting; ++i) flood += "L,x\n";
    EXPECT_FALSE(floods.feed(as_bytes(flood)));
}

TEST(IvrScript, EventsHaveTenDigitsOfTimeAndOneLine) {
    // The example of the interface's documentation has the time 284654100.
    const WallTime now{std::chrono::seconds{284654100}};
    EXPECT_EQ(ivr_event("5", now), "5,0284654100\n");
    EXPECT_EQ(ivr_event("Z", now, "no\nfile"), "Z,0284654100,no file\n");
}

TEST(IvrScript, ProgramsAndServersHaveArguments) {
    const auto program = parse_ivr_target("/usr/bin/foo(arg1, arg2)");
    ASSERT_TRUE(program);
    EXPECT_EQ(program->name, "/usr/bin/foo");
    EXPECT_EQ(program->arguments, (std::vector<std::string>{"arg1", "arg2"}));
    const auto server = parse_ivr_target("ivr://[::1]:4000(x)");
    ASSERT_TRUE(server);
    EXPECT_EQ(server->host, "::1");
    EXPECT_EQ(server->port, 4000);
    EXPECT_EQ(parse_ivr_target("ivr://example.org")->port, 2949);
    EXPECT_FALSE(parse_ivr_target("ivr://example.org:door"));
    EXPECT_FALSE(parse_ivr_target("ivr://"));
    EXPECT_FALSE(parse_ivr_target(" (a)"));
}

}  // namespace
}  // namespace strowger::pbx
