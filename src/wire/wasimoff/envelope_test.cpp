#include "wire/wasimoff/envelope.hpp"

#include <gtest/gtest.h>

namespace strowger::wasimoff {
namespace {

using namespace std::string_literals;

TEST(Envelope, SequenceZeroIsWritten) {
    // 08 00: field 1, varint 0. 10 02: a response. The Any holds the URL alone.
    const auto bytes = encode(Codec::protobuf, 0, Type::response, &pb::Ping::default_instance());
    EXPECT_EQ(bytes, "\x08\x00\x10\x02\x22\x1b\x0a\x19"s + "wasimoff/wasimoff.v1.Ping");
    const auto back = decode(Codec::protobuf, as_bytes(bytes));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->sequence, 0u);
    EXPECT_TRUE(back->is<pb::Ping>());
    EXPECT_EQ(
        encode(Codec::json, 0, Type::response, &pb::Ping::default_instance()),
        R"({"sequence":"0","type":"Response","payload":{"@type":"wasimoff/wasimoff.v1.Ping"}})");
}

TEST(Envelope, AnAbsentSequenceIsAnError) {
    EXPECT_FALSE(decode(Codec::protobuf, as_bytes("\x10\x01"s)));
    EXPECT_FALSE(decode(Codec::json, as_bytes(R"({"type":"Request"})")));
    EXPECT_FALSE(decode(Codec::protobuf, as_bytes("\x08\x01"s)));
    EXPECT_FALSE(decode(Codec::json, as_bytes(R"({"sequence":1,"type":"UNKNOWN"})")));
}

TEST(Envelope, TheTypeUrlMayHaveAnyPrefixAndStandAnywhere) {
    for (
        const auto* text :
        {R"({"sequence":"7","type":"Event","payload":{"concurrency":2,"@type":"type.googleapis.com/wasimoff.v1.Event.ProviderResources"}})",
         R"({"sequence":7,"type":3,"payload":{"@type":"wasimoff.v1.Event.ProviderResources","concurrency":2,"unheard":[{}]}})",
         R"({"payload":{"@type":"a/b/wasimoff.v1.Event.ProviderResources","concurrency":"2"},"sequence":"7","type":"Event"})"}) {
        const auto envelope = decode(Codec::json, as_bytes(text));
        ASSERT_TRUE(envelope) << text;
        EXPECT_EQ(envelope->sequence, 7u);
        EXPECT_EQ(envelope->type, Type::event);
        ASSERT_TRUE(envelope->is<pb::Event_ProviderResources>());
        pb::Event_ProviderResources resources;
        ASSERT_TRUE(envelope->read(resources)) << text;
        EXPECT_EQ(resources.concurrency(), 2u);
        EXPECT_FALSE(resources.has_tasks());
    }
}

TEST(Envelope, AnUnknownPayloadIsStillAnEnvelope) {
    const auto envelope = decode(
        Codec::json, as_bytes(R"({"sequence":"1","type":"Request","payload":{"@type":"x/y.Z"}})"));
    ASSERT_TRUE(envelope);
    EXPECT_EQ(envelope->name, "y.Z");
}

TEST(Envelope, BothCodecsCarryTheSame) {
    pb::Task_Wasip1_Response answer;
    answer.mutable_info()->set_id("12");
    answer.mutable_ok()->set_status(0);
    answer.mutable_ok()->set_stdout("a\0\xff"s);
    for (const auto codec : {Codec::protobuf, Codec::json}) {
        const auto text = encode(codec, 1ull << 60, Type::response, &answer, "odd \"error\"");
        const auto envelope = decode(codec, as_bytes(text));
        ASSERT_TRUE(envelope);
        EXPECT_EQ(envelope->sequence, 1ull << 60);
        EXPECT_EQ(envelope->error, "odd \"error\"");
        pb::Task_Wasip1_Response back;
        ASSERT_TRUE(envelope->read(back));
        EXPECT_EQ(back.SerializeAsString(), answer.SerializeAsString());
    }
}

TEST(Envelope, ZeroIsWrittenAndAbsenceIsNot) {
    pb::Task_Wasip1_Output output;
    EXPECT_EQ(write_message(Codec::json, output), "{}");
    output.set_status(0);
    EXPECT_EQ(write_message(Codec::json, output), R"({"status":0})");
}

TEST(Envelope, BottomlessJsonIsRefused) {
    const auto deep = R"({"sequence":"1","type":"Request","payload":)" + std::string(100000, '[');
    EXPECT_FALSE(decode(Codec::json, as_bytes(deep)));
    pb::Task_Wasip1_Request request;
    EXPECT_FALSE(read_message(Codec::json, std::string(100000, '{'), request));
    EXPECT_FALSE(read_message(Codec::json, "'\"'" + std::string(100000, '['), request));
}

}  // namespace
}  // namespace strowger::wasimoff
