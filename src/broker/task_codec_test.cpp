#include "broker/task_codec.hpp"

#include <gtest/gtest.h>

namespace strowger::broker {
namespace {

using connect::Code;

TEST(TaskCodec, RequestsAndResultsComeOutAsTheyWentIn) {
    pb::Task_Wasip1_Request wasip1;
    wasip1.mutable_params()->set_stdin(std::string("a\0b", 3));
    const auto first = read_request("w", write_request(wasip1)).value();
    EXPECT_EQ(std::get<pb::Task_Wasip1_Request>(first).params().stdin(), std::string("a\0b", 3));
    pb::Task_Pyodide_Request pyodide;
    pyodide.mutable_params()->set_script("1");
    EXPECT_EQ(kind_of(pyodide), "p");
    EXPECT_TRUE(std::holds_alternative<pb::Task_Pyodide_Request>(
        read_request("p", write_request(pyodide)).value()));
    pb::Task_Pyodide_Response response;
    response.set_error("no");
    const auto result = read_result(write_result(TaskResponse(response))).value();
    EXPECT_EQ(std::get<pb::Task_Pyodide_Response>(result).error(), "no");
}

TEST(TaskCodec, AFailureKeepsItsCodeAndItsWords) {
    const auto result = read_result(write_result(refuse(Code::deadline_exceeded, "too late: 1 s")));
    ASSERT_FALSE(result);
    EXPECT_EQ(code_of(result.error()), Code::deadline_exceeded);
    EXPECT_EQ(result.error().text(), "too late: 1 s");
}

TEST(TaskCodec, WhatNobodyWroteIsAnError) {
    for (const auto* text : {"", "x", "w\xff\xff\xff", "p\x0a\xff", "E", "E99 a", "Ex a"})
        EXPECT_FALSE(read_result(text)) << text;
    EXPECT_FALSE(read_request("x", ""));
    EXPECT_FALSE(read_request("w", "\xff\xff"));
}

}  // namespace
}  // namespace strowger::broker
