#include "io/redis.hpp"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include <deque>

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/text.hpp"
#include "io/dns.hpp"
#include "io/http.hpp"

namespace strowger::io {

namespace {

constexpr log::About about{"redis"};
constexpr double pause_growth = 2;
// How often the oldest command is looked at.
constexpr Duration watch_interval = std::chrono::milliseconds{500};
// Deeper than any answer to what is asked here; hiredis itself stops at nine.
constexpr int max_depth = 8;

Result<Redis::Reply> reply_of(const redisReply& reply, int depth = 0) {
    using Kind = Redis::Reply::Kind;
    switch (reply.type) {
        case REDIS_REPLY_ERROR: return fail("{}", std::string_view(reply.str, reply.len));
        case REDIS_REPLY_INTEGER:
            return Redis::Reply{.kind = Kind::integer, .number = reply.integer};
        case REDIS_REPLY_STRING:
        case REDIS_REPLY_STATUS:
            return Redis::Reply{.kind = Kind::text, .text = std::string(reply.str, reply.len)};
        case REDIS_REPLY_ARRAY: break;
        default: return Redis::Reply{};
    }
    if (depth >= max_depth) return fail("an answer nests deeper than {}", max_depth);
    Redis::Reply list{.kind = Kind::list};
    list.items.reserve(reply.elements);
    for (std::size_t i = 0; i < reply.elements; ++i) {
        auto item = reply_of(*reply.element[i], depth + 1);
        if (!item) return item;
        list.items.push_back(std::move(*item));
    }
    return list;
}

}  // namespace

std::string Redis::Endpoint::text() const {
    return path.empty() ? fmt::format("redis://{}:{}/{}", host, port, database)
                        : fmt::format("unix://{}", path);
}

Result<Redis::Endpoint> Redis::parse(std::string_view url) {
    Endpoint endpoint;
    const auto unreadable = [&](std::string_view why) {
        return fail("'{}': {}; expected redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]",
                    url.substr(0, url.find(':')), why);
    };
    if (url.starts_with("unix://")) {
        endpoint.path = url.substr(7);
        endpoint.host.clear();
        if (endpoint.path.empty()) return unreadable("no path");
        return endpoint;
    }
    if (url.starts_with("rediss://")) return unreadable("TLS to Redis is not supported");
    if (!url.starts_with("redis://")) return unreadable("not the URL of a Redis server");
    auto rest = url.substr(8);
    if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
        const auto [user, password] = split_once(rest.substr(0, at), ':');
        endpoint.user = percent_decode(user);
        endpoint.password = percent_decode(password);
        rest = rest.substr(at + 1);
    }
    if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
        if (slash + 1 < rest.size()) {
            const auto database = parse_number<unsigned>(rest.substr(slash + 1));
            if (!database) return unreadable("the database is no number");
            endpoint.database = *database;
        }
        rest = rest.substr(0, slash);
    }
    const bool bracketed = rest.starts_with('[');
    const auto colon = bracketed ? rest.find(':', rest.find(']')) : rest.rfind(':');
    if (colon != std::string_view::npos) {
        const auto port = parse_number<std::uint16_t>(rest.substr(colon + 1));
        if (!port) return unreadable("the port is no number");
        endpoint.port = *port;
        rest = rest.substr(0, colon);
    }
    if (bracketed) {
        if (rest.back() != ']') return unreadable("no end of the address");
        rest = rest.substr(1, rest.size() - 2);
    }
    if (rest.empty()) return unreadable("no host");
    endpoint.host = rest;
    return endpoint;
}

struct Redis::State : std::enable_shared_from_this<State> {
    struct Pending {
        std::weak_ptr<State> state;
        Answer answer;
        Time since;
        std::size_t bytes;
    };

    State(Loop& l, Options o, Handlers h)
        : loop(l), options(std::move(o)), handlers(std::move(h)), pause(options.first_pause) {}

    Loop& loop;
    Options options;
    Handlers handlers;
    Random random = Random::system();
    Duration pause;
    redisAsyncContext* context = nullptr;
    std::optional<Watch> watch;
    std::optional<Resolver> resolver;
    std::shared_ptr<State> kept;  // by hiredis, from connecting until its cleanup
    bool up = false, ended = false, subscribed = false;
    bool told = false;  // that it cannot be reached, since it last was
    std::string reason;
    Time begun{};
    std::deque<Time> waiting;  // since when, one a command under way
    std::size_t queued = 0;
    Timer again, watchdog;

    void connect();
    void connect_to(const std::string& host);
    void attach(redisAsyncContext* made);
    void established();
    void cleaned();
    void look();
    void drop(std::string why);
    void retry();
    void send(const std::vector<std::string_view>& words, Answer answer);
};

void Redis::State::connect() {
    reason.clear();
    begun = loop.now();
    watchdog = loop.after(watch_interval, [this] { look(); });
    if (!options.endpoint.path.empty())
        return attach(redisAsyncConnectUnix(options.endpoint.path.c_str()));
    const auto& host = options.endpoint.host;
    if (host == "localhost") return connect_to("127.0.0.1");
    if (IpAddress::parse(host)) return connect_to(host);
    // hiredis would resolve a name while the loop stands still.
    if (!resolver) resolver.emplace(loop, Resolver::Options{});
    spawn([](std::weak_ptr<State> weak, std::string name) -> Task<> {
        auto state = weak.lock();
        auto found = co_await state->resolver->addresses(std::move(name));
        if (state->ended) co_return;
        if (found && !found->empty()) co_return state->connect_to(found->front().text());
        state->reason = found ? "the name has no address" : found.error().text();
        state->retry();
    }(weak_from_this(), host));
}

void Redis::State::connect_to(const std::string& host) {
    attach(redisAsyncConnect(host.c_str(), options.endpoint.port));
}

void Redis::State::attach(redisAsyncContext* made) {
    if (!made || made->err) {
        reason = made ? made->errstr : "no memory";
        if (made) redisAsyncFree(made);
        return retry();
    }
    context = made;
    kept = shared_from_this();
    context->data = this;
    watch.emplace(loop, context->c.fd);
    context->ev.data = this;
    context->ev.addRead = [](void* data) {
        auto* s = static_cast<State*>(data);
        if (s->watch)
            s->watch->on_readable([s] {
                const auto alive = s->shared_from_this();
                if (s->context) redisAsyncHandleRead(s->context);
            });
    };
    context->ev.delRead = [](void* data) {
        if (auto* s = static_cast<State*>(data); s->watch) s->watch->on_readable(nullptr);
    };
    context->ev.addWrite = [](void* data) {
        auto* s = static_cast<State*>(data);
        if (s->watch)
            s->watch->on_writable([s] {
                const auto alive = s->shared_from_this();
                if (s->context) redisAsyncHandleWrite(s->context);
            });
    };
    context->ev.delWrite = [](void* data) {
        if (auto* s = static_cast<State*>(data); s->watch) s->watch->on_writable(nullptr);
    };
    context->ev.cleanup = [](void* data) { static_cast<State*>(data)->cleaned(); };
    redisAsyncSetConnectCallback(context, [](const redisAsyncContext* c, int status) {
        auto* s = static_cast<State*>(c->data);
        if (status != REDIS_OK)
            s->reason = c->errstr ? c->errstr : "refused";
        else
            s->established();
    });
    redisAsyncSetDisconnectCallback(context, [](const redisAsyncContext* c, int status) {
        auto* s = static_cast<State*>(c->data);
        if (status != REDIS_OK && s->reason.empty()) s->reason = c->errstr ? c->errstr : "closed";
    });
}

// Who asks, which database, and whether the server has read its data already.
void Redis::State::established() {
    const auto must = [this](Result<Reply> reply) {
        if (!reply && context) drop(reply.error().text());
    };
    const auto& to = options.endpoint;
    if (!to.password.empty()) {
        if (to.user.empty())
            send({"AUTH", to.password}, must);
        else
            send({"AUTH", to.user, to.password}, must);
    }
    const auto database = fmt::format("{}", to.database);
    if (to.database) send({"SELECT", database}, must);
    send({"PING"}, [this](Result<Reply> reply) {
        if (ended || !context) return;
        if (!reply) return drop(reply.error().text());
        up = true;
        told = false;
        pause = options.first_pause;
        LOG_VERBOSE(about, "connected to {}", options.endpoint.text());
        if (handlers.connected) handlers.connected();
    });
}

void Redis::State::send(const std::vector<std::string_view>& words, Answer answer) {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    std::size_t bytes = 0;
    for (const auto word : words) {
        texts.push_back(word.data());
        sizes.push_back(word.size());
        bytes += word.size();
    }
    if (waiting.size() >= options.max_pending || queued + bytes > options.max_queued)
        return answer(fail("Redis: {} commands are under way already", waiting.size()));
    auto* pending = new Pending{weak_from_this(), std::move(answer), loop.now(), bytes};
    waiting.push_back(pending->since);
    queued += bytes;
    const auto arrived = [](redisAsyncContext* c, void* raw, void* data) {
        const std::unique_ptr<Pending> done(static_cast<Pending*>(data));
        const auto state = done->state.lock();
        if (!state) return;
        if (!state->waiting.empty()) state->waiting.pop_front();
        state->queued -= done->bytes;
        if (state->ended) return;
        if (raw) return done->answer(reply_of(*static_cast<redisReply*>(raw)));
        done->answer(fail("Redis: {}", !state->reason.empty()    ? state->reason
                                       : c->errstr && *c->errstr ? std::string(c->errstr)
                                                                 : "the connection was lost"));
    };
    if (redisAsyncCommandArgv(context, arrived, pending, static_cast<int>(words.size()),
                              texts.data(), sizes.data()) == REDIS_OK)
        return;
    const std::unique_ptr<Pending> back(pending);
    waiting.pop_back();
    queued -= bytes;
    back->answer(fail("Redis: the connection is closing"));
}

void Redis::State::look() {
    const auto oldest = !up ? begun : waiting.empty() ? loop.now() : waiting.front();
    if (context && loop.now() - oldest >= options.patience)
        return drop(up ? "no answer in time" : "no connection in time");
    watchdog = loop.after(watch_interval, [this] { look(); });
}

void Redis::State::drop(std::string why) {
    if (!context) return;
    reason = std::move(why);
    redisAsyncFree(context);  // its cleanup follows, now or at the end of the callback
}

void Redis::State::cleaned() {
    const auto alive = std::move(kept);
    watch.reset();
    context = nullptr;
    subscribed = false;
    const bool was_up = std::exchange(up, false);
    if (ended) return;
    // The answers that are owed come before this one, from hiredis.
    loop.post([state = alive, was_up] {
        if (state->ended) return;
        if (was_up) {
            LOG_WARNING(about, "{} is lost: {}", state->options.endpoint.text(),
                        state->reason.empty() ? "closed" : state->reason);
            if (state->handlers.lost) state->handlers.lost(Error(state->reason));
        }
        state->retry();
    });
}

void Redis::State::retry() {
    if (ended) return;
    watchdog.cancel();
    if (!reason.empty() && pause >= options.longest_pause && !std::exchange(told, true))
        LOG_NOTICE(about, "{}: {}; it is tried on and on", options.endpoint.text(), reason);
    // Spread, so that all who lost the same server do not return in the same instant.
    again = loop.after(scale(pause, random.between(0.5, 1.5)), [this] { connect(); });
    pause = std::min(scale(pause, pause_growth), options.longest_pause);
}

Redis::Redis(Loop& loop, Options options, Handlers handlers)
    : state_(std::make_shared<State>(loop, std::move(options), std::move(handlers))) {
    state_->connect();
}

Redis::~Redis() {
    state_->ended = true;
    state_->again.cancel();
    state_->watchdog.cancel();
    if (state_->context) redisAsyncFree(state_->context);
}

bool Redis::connected() const { return state_->up; }

void Redis::command(const std::vector<std::string_view>& words, Answer answer) {
    if (!state_->up || state_->subscribed)
        return answer(fail("Redis: {}", state_->reason.empty() ? "not connected" : state_->reason));
    state_->send(words, std::move(answer));
}

void Redis::subscribe(const std::vector<std::string_view>& channels) {
    if (!state_->up) return;
    state_->subscribed = true;
    std::vector<std::string_view> words{"SUBSCRIBE"};
    words.insert(words.end(), channels.begin(), channels.end());
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const auto word : words) {
        texts.push_back(word.data());
        sizes.push_back(word.size());
    }
    const auto arrived = [](redisAsyncContext* c, void* raw, void*) {
        auto* state = static_cast<State*>(c->data);
        const auto* reply = static_cast<const redisReply*>(raw);
        if (!reply || state->ended || reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
            return;
        const auto text = [&](std::size_t i) {
            const auto* item = reply->element[i];
            return item->str ? std::string_view(item->str, item->len) : std::string_view();
        };
        if (text(0) == "message" && state->handlers.message)
            state->handlers.message(text(1), text(2));
    };
    redisAsyncCommandArgv(state_->context, arrived, nullptr, static_cast<int>(words.size()),
                          texts.data(), sizes.data());
}

void Redis::reconnect(std::string_view why) { state_->drop(std::string(why)); }

}  // namespace strowger::io
