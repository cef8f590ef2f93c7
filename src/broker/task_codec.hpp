#pragma once

#include <string>
#include <string_view>

#include "broker/jobs.hpp"

namespace strowger::broker {

/// Requests and results of tasks as the brokers pass them on: a letter for the kind, then protobuf.
std::string_view kind_of(const TaskRequest& request);
std::string write_request(const TaskRequest& request);
Result<TaskRequest> read_request(std::string_view kind, std::string_view bytes);

std::string write_result(const Result<TaskResponse>& result);
/// What another broker wrote; text that is none is an error like any other failed task.
Result<TaskResponse> read_result(std::string_view bytes);

/// Stored files that its provider must have: what is sent along it gets anyway.
std::vector<std::string> files_of(const TaskRequest& request);

const pb::Task_Metadata& info_of(const TaskRequest& request);
pb::Task_Metadata& info_of(TaskRequest& request);
pb::Task_Metadata& info_of(TaskResponse& response);
const pb::Task_QoS& qos_of(const TaskRequest& request);

}  // namespace strowger::broker
