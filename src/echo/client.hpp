#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "echo/call.hpp"
#include "io/dns.hpp"
#include "io/http_client.hpp"
#include "io/loop.hpp"
#include "wire/dtls/identity.hpp"

namespace strowger::echo {

/// Where the calls of a client come from and go to: its UDP port, its certificate, its way to the
/// server.
class Caller {
public:
    struct Options {
        std::string url = "http://localhost:8080/offer";
        bool insecure = false;  ///< takes any certificate of an HTTPS server
        Duration limit = std::chrono::seconds{10};
        std::size_t max_calls = 1;
    };
    /// How long a server that refuses connections may still be starting.
    static constexpr Duration start_patience = std::chrono::seconds{5};

    static Result<std::unique_ptr<Caller>> make(io::Loop& loop, const Options& options);

    /// A call that is on its way; an error of the signalling is told through `failed`.
    Result<Call*> call(const Call::Plan& plan, std::function<void(const Error&)> failed);
    /// Ends all calls, politely.
    void hang_up();
    media::WebrtcHost& host() { return *host_; }

private:
    Caller(io::Loop& loop, const Options& options);
    Task<> run(media::WebrtcHost::SessionId id, std::function<void(const Error&)> failed);
    Task<Result<std::string>> exchange(std::string offer);
    Task<Result<io::HttpResponse>> post(std::string body);
    Task<bool> is_local();

    io::Loop& loop_;
    Options options_;
    std::shared_ptr<const dtls::Identity> identity_;
    std::unique_ptr<media::WebrtcHost> host_;
    io::Resolver resolver_;
    std::unique_ptr<io::HttpClient> http_;
    std::vector<media::WebrtcHost::SessionId> calls_;
    TaskScope tasks_;
};

/// `strowger echo client`: one call, one verdict.
struct ClientOptions {
    Caller::Options caller;
    int test = 0;  ///< 0: connection, 1: channel, 2: media
    Duration media_time = std::chrono::seconds{3};
    double max_loss = 1;  ///< percent of the packets, in the media test
};

/// True: the test has passed. What happened is said on standard output and error.
bool run_client(const ClientOptions& options);

/// Arguments as container runs give them: one of them may hold many (`"-s URL -t 1"`), and so each
/// is split at its blanks.
std::vector<std::string> split_arguments(const std::vector<std::string>& arguments);

}  // namespace strowger::echo
