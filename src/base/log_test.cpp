#include "base/log.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <regex>

namespace strowger::log {
namespace {

/// What one call writes, without its time.
std::string written(Format format, Level threshold, const std::function<void()>& log) {
    configure(format, threshold);
    testing::internal::CaptureStderr();
    log();
    auto line = testing::internal::GetCapturedStderr();
    configure(Format::text, Level::notice);
    static const std::regex time(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)");
    return std::regex_replace(line, time, "TIME");
}

TEST(Log, WritesOneTextLineWithCallAndPeer) {
    EXPECT_EQ(written(Format::text, Level::notice,
                      [] {
                          const About about{"pbx", "a84b4c76", "192.0.2.7:5060"};
                          LOG_NOTICE(about, "{} rejected", "INVITE");
                      }),
              "TIME notice  pbx [a84b4c76] [192.0.2.7:5060]: INVITE rejected\n");
}

TEST(Log, JsonEscapesWhatJsonMust) {
    EXPECT_EQ(written(Format::json, Level::notice,
                      [] {
                          const About about{"pbx", "c\"1", ""};
                          LOG_WARNING(about, "{}", "a\\b \"q\" \x01\x7f\t");
                      }),
              R"({"time":"TIME","level":"warning","service":"pbx","call":"c\"1",)"
              R"("text":"a\\b \"q\" \u0001\u007f\u0009"})"
              "\n");
}

TEST(Log, HostileInputCannotForgeLinesOrDriveTheTerminal) {
    const auto log = [] {
        const About about{"pbx", "id\r\nx", ""};
        LOG_NOTICE(about, "{}", "one\ntwo \x1b[2J \xc2\x9b K\xc3\xb6ln");
    };
    EXPECT_EQ(
        written(Format::text, Level::notice, log),
        "TIME notice  pbx [id\\u000d\\u000ax]: one\\u000atwo \\u001b[2J \\u009b K\xc3\xb6ln\n");
}

TEST(Log, WhatIsNotUtf8IsMarked) {
    const auto log = [] {
        LOG_NOTICE(About{"pbx"}, "{}", "a\xff\xc3 \xed\xa0\x80 \xf0\x9f\x93\x9e\xe2\x82");
    };
    EXPECT_EQ(written(Format::json, Level::notice, log),
              R"({"time":"TIME","level":"notice","service":"pbx","text":"a\ufffd\ufffd )"
              "\\ufffd\\ufffd\\ufffd \xf0\x9f\x93\x9e\\ufffd\\ufffd\"}\n");
    EXPECT_EQ(written(Format::text, Level::notice, log),
              "TIME notice  pbx: a\\xff\\xc3 \\xed\\xa0\\x80 \xf0\x9f\x93\x9e\\xe2\\x82\n");
}

TEST(Log, WhatIsNotEnabledIsNotEvaluated) {
    int evaluated = 0;
    EXPECT_EQ(written(Format::text, Level::warning,
                      [&] {
                          const About about{"pbx"};
                          LOG_NOTICE(about, "{}", ++evaluated);
                          LOG_DEBUG(about, "{}", ++evaluated);
                      }),
              "");
    EXPECT_EQ(evaluated, 0);
    EXPECT_EQ(level_by_name("WARNING", Level::off), Level::warning);
    EXPECT_EQ(level_by_name("loud", Level::debug), Level::debug);
}

std::string read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Log, TargetsGetTheirLevelsAndKindsWhateverStandardErrorDoes) {
    const auto folder = std::filesystem::temp_directory_path() / fmt::format("log-{}", ::getpid());
    std::filesystem::create_directories(folder);
    Target steps, events, broken;
    steps.name = folder / "steps";
    steps.levels = bit_of(Level::verbose);
    events.name = folder / "events";
    events.events = {"security"};
    events.json = true;
    events.date_format = "%Y";
    broken.kind = Target::Kind::syslog;
    broken.name = "nothing";
    EXPECT_EQ(set_targets({steps, events, broken}).size(), 1u);
    EXPECT_TRUE(enabled(Level::verbose));
    EXPECT_TRUE(wants_event("security"));
    EXPECT_FALSE(wants_event("dtmf"));
    const auto shown = written(Format::text, Level::notice, [] {
        LOG_VERBOSE(About{"pbx"}, "{}", "a step");
        LOG_NOTICE(About{"pbx"}, "{}", "news");
        write_event("security", {"pbx"}, "somebody");
        write_event("dtmf", {"pbx"}, "1");
    });
    set_targets({});
    EXPECT_EQ(shown, "TIME notice  pbx: news\n");
    EXPECT_TRUE(read(steps.name).ends_with("Z verbose pbx: a step\n"));
    EXPECT_TRUE(std::regex_match(
        read(events.name),
        std::regex(
            R"(\{"time":"\d{4}","level":"security","service":"pbx","text":"somebody"\}\n)")));
    EXPECT_FALSE(enabled(Level::verbose));
    std::filesystem::remove_all(folder);
}

TEST(Log, StandardErrorCanBeNarrowedToSomeLevels) {
    set_console(bit_of(Level::error), {"dtmf"});
    const auto shown = written(Format::text, Level::notice, [] {
        LOG_NOTICE(About{"pbx"}, "{}", "news");
        LOG_ERROR(About{"pbx"}, "{}", "trouble");
        write_event("dtmf", {"pbx"}, "1");
    });
    set_console(all_levels, {});
    EXPECT_EQ(shown, "TIME error   pbx: trouble\nTIME dtmf    pbx: 1\n");
}

}  // namespace
}  // namespace strowger::log
