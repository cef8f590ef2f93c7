#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "io/loop.hpp"
#include "io/tls.hpp"

namespace strowger::io {

/// One connection to a Redis server (the protocol RESP 2, read by hiredis): commands and their
/// answers in order, or, once it has subscribed, messages.
///
/// It connects by itself and again after every loss, with pauses that grow. While there is no
/// connection commands fail at once; those under way fail when it is lost. Nothing blocks the loop.
class Redis {
public:
    struct Endpoint {
        std::string host = "127.0.0.1";  ///< or empty, with `path`
        std::uint16_t port = 6379;
        std::string path = {};  ///< of a Unix socket
        std::string user = {}, password = {};
        unsigned database = 0;
        std::shared_ptr<TlsContext> tls = {};  ///< the connection is TLS, by these rules

        std::string text() const;  ///< without the password
    };
    /// redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], rediss:// (the same over TLS) or
    /// unix:///PATH. The server's certificate must be for HOST, by a root in `ca_file` (PEM), which
    /// is read now; without it, by one that the system trusts.
    static Result<Endpoint> parse(std::string_view url, const std::string& ca_file = {});

    struct Reply {
        enum class Kind { nil, integer, text, list } kind = Kind::nil;
        std::int64_t number = 0;
        std::string text = {};
        std::vector<Reply> items = {};
    };
    struct Options {
        Endpoint endpoint = {};
        /// For the connection and for each answer: a server that takes longer counts as lost.
        Duration patience = std::chrono::seconds{5};
        Duration first_pause = std::chrono::milliseconds{50};
        Duration longest_pause = std::chrono::seconds{2};
        std::size_t max_pending = 16'384;       ///< commands without an answer; beyond it they fail
        std::size_t max_queued = 256ULL << 20;  ///< bytes of those
    };
    struct Handlers {
        std::function<void()> connected = {};  ///< logged in, and the server takes commands
        std::function<void(const Error&)> lost = {};
        std::function<void(std::string_view channel, std::string_view text)> message = {};
    };
    using Answer = std::move_only_function<void(Result<Reply>)>;

    /// The handlers may not destroy the Redis.
    Redis(Loop& loop, Options options, Handlers handlers);
    ~Redis();  ///< silently: nothing is called any more

    bool connected() const;
    /// Redis' own errors arrive as an Error, too. `answer` comes in a later round or, without a
    /// connection, at once.
    void command(const std::vector<std::string_view>& words, Answer answer);
    /// From then on this connection takes no commands but this one.
    void subscribe(const std::vector<std::string_view>& channels);
    /// Drops the connection and makes a new one.
    void reconnect(std::string_view why);

private:
    struct State;
    std::shared_ptr<State> state_;  // shared with what is under way
};

}  // namespace strowger::io
