#include "wire/starless/messages.hpp"

#include <gtest/gtest.h>

namespace strowger::starless {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets operator+(Octets left, const Octets& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

Octets text(std::string_view text) { return Writer().text(text).take(); }

Octets header(std::string_view method, std::uint8_t sequence) {
    return Octets{0x82} + text("ServiceMethod") + text(method) + text("Seq") +
           Octets{0xcf, 0, 0, 0, 0, 0, 0, 0, sequence};
}

Value value_of(const Octets& octets) {
    std::size_t need = 0;
    return (*read_object(octets, need))->value;
}

File example() {
    File file{.name = "f", .length = 70000, .epoch = 1};
    file.hash.fill(0xaa);
    return file;
}

Octets description() {
    return text("filename") + text("f") + text("hash") + Octets{0xc4, 32} + Octets(32, 0xaa) +
           text("length") + Octets{0xce, 0x00, 0x01, 0x11, 0x70} + text("epoch") +
           Octets{0xcf, 0, 0, 0, 0, 0, 0, 0, 1};
}

TEST(Messages, CallsAreAHeaderAndABodyWithASequenceOf64Bits) {
    EXPECT_EQ(write_ping(0), header("ping", 0) + text("ping"));
    EXPECT_EQ(write_list(1), header("fs:list", 1) + Octets{0xc0});
}

TEST(Messages, ALengthHas32BitsAndATime64) {
    EXPECT_EQ(write_probe(2, example()), header("fs:probe", 2) + Octets{0x84} + description());
    const auto wanted =
        header("fs:upload", 3) + Octets{0x85} + description() + text("bytes") + Octets{0xc4, 1, 9};
    const Octets content{9};
    EXPECT_EQ(write_upload(3, example(), content), wanted);
}

TEST(Messages, ARunSaysOnlyWhatItHas) {
    starless::Run run{.id = "x/0000", .binary = "b", .args = {"one"}};
    const auto start = text("id") + text("x/0000") + text("binary") + text("b") + text("args") +
                       Octets{0x91} + text("one") + text("envs");
    EXPECT_EQ(write_run(4, run), header("run", 4) + Octets{0x84} + start + Octets{0x90});
    run.envs = {"K=V"};
    run.stdin_bytes = "in";
    run.load_files = {"f"};
    run.data_file = "out";
    run.trace = true;
    EXPECT_EQ(write_run(5, run), header("run", 5) + Octets{0x88} + start + Octets{0x91} +
                                     text("K=V") + text("stdin") + text("in") + text("loadfs") +
                                     Octets{0x91} + text("f") + text("datafile") + text("out") +
                                     text("trace") + Octets{0xc3});
}

TEST(Messages, InputThatIsNoTextGoesAsBytes) {
    for (const std::string bytes : {"\xff", "\xc0\x80", "a\x80", "\xe2\x82"}) {
        const auto written = write_run(0, {.id = "", .binary = "", .stdin_bytes = bytes});
        EXPECT_EQ(written[written.size() - bytes.size() - 2], 0xc4) << bytes;
    }
    const auto written = write_run(0, {.id = "", .binary = "", .stdin_bytes = "\xe2\x82\xac"});
    EXPECT_EQ(written[written.size() - 4], 0xa3);
}

TEST(Messages, WhatAPageTellsOfItself) {
    const auto control = [](std::string_view type, const Octets& body) {
        return read_control(
            value_of(Octets{0x82} + text("type") + text(type) + text("message") + body));
    };
    const auto pool = control("poolinfo", Octets{0x82} + text("nmax") + Octets{8} + text("pool") +
                                              Octets{0xcf, 0, 0, 0, 0, 0, 0, 0, 4});
    ASSERT_TRUE(pool);
    EXPECT_EQ(std::get<PoolInfo>(*pool).most, 8u);
    EXPECT_EQ(std::get<PoolInfo>(*pool).pool, 4u);
    const auto info = control("providerinfo", Octets{0x82} + text("platform") + text("Linux") +
                                                  text("useragent") + text("Mozilla\n"));
    EXPECT_EQ(std::get<ProviderInfo>(*info).platform, "Linux");
    EXPECT_EQ(std::get<ProviderInfo>(*info).user_agent, "Mozilla?");
    EXPECT_EQ(std::get<ProviderInfo>(*info).name, "");
    EXPECT_TRUE(std::holds_alternative<Hello>(*control("hello", Octets{0x80})));
    EXPECT_EQ(std::get<Unknown>(*control("else", Octets{0x80})).type, "else");
    EXPECT_FALSE(control("hello", Octets{0xc0}));
    EXPECT_FALSE(read_control(value_of({0xc0})));
}

TEST(Messages, AnAnswerIsGoodWithoutErrorOrWithNil) {
    const auto answer = [](const Octets& error) {
        return read_answer_header(value_of(Octets{0x83} + text("ServiceMethod") + text("run") +
                                           text("Seq") + Octets{7} + text("Error") + error));
    };
    EXPECT_EQ(answer({0xc0})->sequence, 7u);
    EXPECT_FALSE(answer({0xc0})->error);
    EXPECT_EQ(answer(text("RuntimeError: unreachable"))->error, "RuntimeError: unreachable");
    EXPECT_FALSE(answer({0x01}));
    EXPECT_FALSE(read_answer_header(value_of({0x80})));
}

TEST(Messages, AListingHasDigestsOf32Bytes) {
    const auto files = read_files(value_of(Octets{0x91, 0x84} + description()));
    ASSERT_TRUE(files);
    ASSERT_EQ(files->size(), 1u);
    EXPECT_EQ((*files)[0].name, "f");
    EXPECT_EQ((*files)[0].length, 70000u);
    EXPECT_EQ((*files)[0].hash, example().hash);
    EXPECT_TRUE(read_files(value_of({0xc0}))->empty());
    EXPECT_FALSE(read_files(value_of({0x91, 0x80})));
    EXPECT_FALSE(read_files(value_of({0x01})));
}

TEST(Messages, AResultHasItsCodeAndBytesAsTextOrBinary) {
    const auto outcome = read_outcome(
        value_of(Octets{0x85} + text("exitcode") + Octets{0xff} + text("stdout") +
                 Octets{0xc4, 2, 0x00, 0xff} + text("stderr") + text("oops") + text("datafile") +
                 Octets{0xc4, 1, 'd'} + text("trace") + Octets{0x91, 0x82} + text("time") +
                 Octets{0xcf, 0, 0, 0, 0, 0, 0, 0, 9} + text("label") + text("begin")));
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->exit_code, -1);
    EXPECT_EQ(outcome->stdout_bytes, std::string("\0\xff", 2));
    EXPECT_EQ(outcome->stderr_bytes, "oops");
    EXPECT_EQ(outcome->data_file, "d");
    ASSERT_EQ(outcome->trace.size(), 1u);
    EXPECT_EQ(outcome->trace[0].microseconds, 9u);
    EXPECT_EQ(outcome->trace[0].label, "begin");
    EXPECT_FALSE(read_outcome(value_of({0xc0})));
}

}  // namespace
}  // namespace strowger::starless
