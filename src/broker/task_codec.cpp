#include "broker/task_codec.hpp"

#include "base/text.hpp"

namespace strowger::broker {

namespace {

using connect::Code;

constexpr std::string_view wasip1 = "w", pyodide = "p";
constexpr char error = 'E';

template <typename Message, typename Either>
Result<Either> parse(std::string_view bytes) {
    Message message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return refuse(Code::data_loss, "what another broker wrote cannot be read");
    return Either(std::move(message));
}

}  // namespace

pb::Task_Metadata& info_of(TaskRequest& request) {
    return *std::visit([](auto& r) { return r.mutable_info(); }, request);
}
const pb::Task_Metadata& info_of(const TaskRequest& request) {
    return std::visit([](const auto& r) -> const auto& { return r.info(); }, request);
}
pb::Task_Metadata& info_of(TaskResponse& response) {
    return *std::visit([](auto& r) { return r.mutable_info(); }, response);
}
const pb::Task_QoS& qos_of(const TaskRequest& request) {
    return std::visit([](const auto& r) -> const auto& { return r.qos(); }, request);
}

std::string_view kind_of(const TaskRequest& request) {
    return std::holds_alternative<pb::Task_Wasip1_Request>(request) ? wasip1 : pyodide;
}

std::string write_request(const TaskRequest& request) {
    return std::visit([](const auto& r) { return r.SerializeAsString(); }, request);
}

Result<TaskRequest> read_request(std::string_view kind, std::string_view bytes) {
    if (kind == wasip1) return parse<pb::Task_Wasip1_Request, TaskRequest>(bytes);
    if (kind == pyodide) return parse<pb::Task_Pyodide_Request, TaskRequest>(bytes);
    return refuse(Code::data_loss, fmt::format("a task of the kind '{}'", kind));
}

std::string write_result(const Result<TaskResponse>& result) {
    if (!result)
        return fmt::format("{}{} {}", error, static_cast<int>(code_of(result.error())),
                           result.error().text());
    const bool first = std::holds_alternative<pb::Task_Wasip1_Response>(*result);
    return std::string(first ? wasip1 : pyodide) +
           std::visit([](const auto& r) { return r.SerializeAsString(); }, *result);
}

Result<TaskResponse> read_result(std::string_view bytes) {
    if (bytes.starts_with(error)) {
        const auto [code, text] = split_once(bytes.substr(1), ' ');
        const auto number = parse_number<int>(code);
        return std::unexpected(Error(std::string(text), number.value_or(0)));
    }
    if (bytes.starts_with(wasip1))
        return parse<pb::Task_Wasip1_Response, TaskResponse>(bytes.substr(1));
    if (bytes.starts_with(pyodide))
        return parse<pb::Task_Pyodide_Response, TaskResponse>(bytes.substr(1));
    return refuse(Code::data_loss, "what another broker wrote cannot be read");
}

std::vector<std::string> files_of(const TaskRequest& request) {
    std::vector<std::string> files;
    if (const auto* wasip1 = std::get_if<pb::Task_Wasip1_Request>(&request))
        if (wasip1->params().binary().has_ref()) files.push_back(wasip1->params().binary().ref());
    std::visit(
        [&](const auto& r) {
            if (r.params().rootfs().has_ref()) files.push_back(r.params().rootfs().ref());
        },
        request);
    return files;
}

}  // namespace strowger::broker
