#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "wire/wasimoff/envelope.hpp"

namespace strowger::app {

/// A task's server-sent events, as `/api/client/live` of a broker sends them: shows what the task
/// writes as it comes, and keeps its end.
class LiveOutput {
public:
    using Response = wasimoff::pb::Task_Wasip1_Response;

    void take(std::string_view piece);
    /// Nothing when the stream ended before the task did.
    std::optional<Result<Response>>& result() { return result_; }
    /// Of the response's output and errors: how much has been shown.
    std::size_t shown_output() const { return shown_output_; }
    std::size_t shown_errors() const { return shown_errors_; }

private:
    void event(std::string_view name, std::string_view data);

    std::string input_;
    std::optional<Result<Response>> result_;
    std::size_t shown_output_ = 0, shown_errors_ = 0;
};

}  // namespace strowger::app
