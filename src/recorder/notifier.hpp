#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "io/dns.hpp"
#include "io/http_client.hpp"
#include "io/loop.hpp"
#include "io/process.hpp"
#include "recorder/recorded_call.hpp"

namespace strowger::recorder {

/// Tells of each file that is whole: a request to a URI, a command that runs, or both.
class Notifier {
public:
    /// Files whose news wait; beyond it they are dropped, and that is logged.
    static constexpr std::size_t max_waiting = 10'000;
    static constexpr Duration first_retry = std::chrono::seconds{5};  ///< doubled each time
    static constexpr Duration longest_retry = std::chrono::minutes{10};
    static constexpr Duration command_timeout = std::chrono::seconds{60};
    /// Of a recording that goes along; what is longer is told of without it.
    static constexpr std::size_t max_attached = std::size_t{64} << 20;

    Notifier(io::Loop& loop, const Settings& settings);
    ~Notifier();

    void tell(const Recorded& call);

private:
    struct News {
        Recorded::File file;
        std::string call_id, metadata;
        unsigned tries = 0;
        bool told_uri = false, told_command = false;
    };
    void next();
    void settle(News& news);
    static Task<> deliver(Notifier& notifier, std::shared_ptr<News> news);
    static Task<bool> request(Notifier& notifier, std::shared_ptr<News> news);
    static Task<bool> command(Notifier& notifier, std::shared_ptr<News> news);

    io::Loop& loop_;
    const Settings& settings_;
    std::unique_ptr<io::Resolver> resolver_;
    std::unique_ptr<io::HttpClient> client_;
    std::deque<News> waiting_;
    std::map<std::uint64_t, io::Timer> later_;
    std::uint64_t last_retry_ = 0;
    std::size_t running_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // of what is posted to the loop
    TaskScope tasks_;
};

}  // namespace strowger::recorder
