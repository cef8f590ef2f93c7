#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "base/task.hpp"
#include "broker/cloud_token.hpp"
#include "broker/jobs.hpp"
#include "io/dns.hpp"
#include "io/http_client.hpp"

namespace strowger::broker {

/// Runs WASI tasks in a cloud's function while no provider has room for them: each is a POST of
/// the request in protobuf with its files in it, the answer is the response. Not Python, and not
/// what other brokers ask for.
///
/// A call that fails is tried again, here or at a provider, as often as any other; while the
/// function fails it is left alone for a time that doubles.
class Cloud final : public Provider {
public:
    struct Config {
        std::string url;          ///< of the function
        std::string credentials;  ///< file of an account's key; empty: none are asked for
        std::uint32_t concurrency = 32;
        std::size_t max_body = 64 << 20;
        Duration timeout = std::chrono::hours{1};  ///< of a call
    };
    static constexpr Duration first_pause = std::chrono::seconds{1};
    static constexpr Duration longest_pause = std::chrono::minutes{1};

    static Result<std::unique_ptr<Cloud>> start(io::Loop& loop, Jobs& jobs, Config config);
    ~Cloud() override;

    const std::string& name() const override { return name_; }
    void run(TaskId task, const google::protobuf::Message& request) override;
    void cancel(TaskId task, std::string_view reason) override;
    void ping() override {}
    void evict(std::string_view) override {}
    void tell(const google::protobuf::Message&) override {}

private:
    Cloud(io::Loop& loop, Jobs& jobs, Config config);

    Result<std::string> body_of(const google::protobuf::Message& request) const;
    Task<> call(TaskId task, std::string body);
    Task<Result<io::HttpResponse>> ask(std::string body);
    void ended(TaskId task, Result<io::HttpResponse> answer);
    void failed(TaskId task, std::string why, bool of_the_function);

    io::Loop& loop_;
    Jobs& jobs_;
    Config config_;
    std::string name_ = "cloud";
    io::Resolver resolver_;
    io::HttpClient client_;
    std::optional<CloudToken> token_;
    std::unordered_map<TaskId, Task<>> calls_;
    Duration pause_ = first_pause;
    io::Timer resumes_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace strowger::broker
