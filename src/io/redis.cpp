#include "io/redis.hpp"

#include <hiredis/hiredis.h>

#include <deque>

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/text.hpp"
#include "io/dns.hpp"
#include "io/http.hpp"
#include "io/stream.hpp"

namespace strowger::io {

namespace {

constexpr log::About about{"redis"};
constexpr double pause_growth = 2;
// How often the oldest command is looked at.
constexpr Duration watch_interval = std::chrono::milliseconds{500};
// Deeper than any answer to what is asked here; hiredis itself stops at nine.
constexpr int max_depth = 8;
// What the stream may hold beside the commands that are counted.
constexpr std::size_t max_greeting = 64 << 10;

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
    if (!path.empty()) return fmt::format("unix://{}", path);
    return fmt::format("redis{}://{}:{}/{}", tls ? "s" : "", host, port, database);
}

Result<Redis::Endpoint> Redis::parse(std::string_view url, const std::string& ca_file) {
    Endpoint endpoint;
    const auto unreadable = [&](std::string_view why) {
        return fail("'{}': {}; expected redis[s]://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]",
                    url.substr(0, url.find(':')), why);
    };
    if (url.starts_with("unix://")) {
        endpoint.path = url.substr(7);
        endpoint.host.clear();
        if (endpoint.path.empty()) return unreadable("no path");
        return endpoint;
    }
    const bool secure = url.starts_with("rediss://");
    if (!secure && !url.starts_with("redis://")) return unreadable("not the URL of a Redis server");
    auto rest = url.substr(url.find("//") + 2);
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
    if (!secure) return endpoint;
    auto tls = TlsContext::client({.ca_file = ca_file});
    if (!tls) return std::unexpected(tls.error());
    endpoint.tls = std::move(*tls);
    return endpoint;
}

struct Redis::State : std::enable_shared_from_this<State> {
    struct Pending {
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
    std::unique_ptr<Stream> stream;
    std::unique_ptr<redisReader, decltype([](redisReader* r) { redisReaderFree(r); })> reader;
    std::optional<Resolver> resolver;
    bool up = false, ended = false, subscribed = false;
    bool told = false;  // that it cannot be reached, since it last was
    std::string reason;
    Time begun{};
    std::deque<Pending> pending;  // commands under way, the oldest first
    std::size_t queued = 0;       // their bytes
    Timer again, watchdog;

    void connect();
    void attach(const std::string& address);
    void established();
    void arrived(Bytes bytes);
    void take(const redisReply& reply);
    void look();
    void drop(std::string why);
    void retry();
    void send(const std::vector<std::string_view>& words, Answer answer);
};

void Redis::State::connect() {
    reason.clear();
    begun = loop.now();
    watchdog = loop.after(watch_interval, [this] { look(); });
    const auto& host = options.endpoint.host;
    if (host.empty() || IpAddress::parse(host)) return attach(host);
    if (host == "localhost") return attach("127.0.0.1");
    if (!resolver) resolver.emplace(loop, Resolver::Options{});
    spawn([](std::weak_ptr<State> weak, std::string name) -> Task<> {
        auto state = weak.lock();
        auto found = co_await state->resolver->addresses(std::move(name));
        if (state->ended) co_return;
        if (found && !found->empty()) co_return state->attach(found->front().text());
        state->reason = found ? "the name has no address" : found.error().text();
        state->retry();
    }(weak_from_this(), host));
}

void Redis::State::attach(const std::string& address) {
    const auto& to = options.endpoint;
    Stream::Options how{.max_queued = options.max_queued + max_greeting,
                        .connect_timeout = options.patience,
                        .tls = to.tls,
                        .server_name = to.host};
    Stream::Handlers then{
        .connected = [this] { established(); },
        .bytes = [this](Bytes bytes) { arrived(bytes); },
        .closed = [this](const Error& e) { drop(e.code() ? e.text() : "it closed"); }};
    reader.reset(redisReaderCreate());
    stream = to.path.empty() ? Stream::connect(loop, {*IpAddress::parse(address), to.port},
                                               std::move(how), std::move(then))
                             : Stream::connect_unix(loop, to.path, std::move(how), std::move(then));
}

// Who asks, which database, and whether the server has read its data already.
void Redis::State::established() {
    const auto must = [this](Result<Reply> reply) {
        if (!reply) drop(reply.error().text());
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
        if (!reply) return drop(reply.error().text());
        up = true;
        told = false;
        pause = options.first_pause;
        LOG_VERBOSE(about, "connected to {}", options.endpoint.text());
        if (handlers.connected) handlers.connected();
    });
}

// As an array of strings (RESP: "Sending commands to a Redis server").
void Redis::State::send(const std::vector<std::string_view>& words, Answer answer) {
    std::string text = fmt::format("*{}\r\n", words.size());
    for (const auto word : words) {
        fmt::format_to(std::back_inserter(text), "${}\r\n", word.size());
        text.append(word).append("\r\n");
    }
    if (pending.size() >= options.max_pending || queued + text.size() > options.max_queued)
        return answer(fail("Redis: {} commands are under way already", pending.size()));
    if (!stream->send(text)) return answer(fail("Redis: the connection is closing"));
    queued += text.size();
    pending.push_back({std::move(answer), loop.now(), text.size()});
}

void Redis::State::arrived(Bytes bytes) {
    const auto alive = shared_from_this();
    redisReaderFeed(reader.get(), reinterpret_cast<const char*>(bytes.data()), bytes.size());
    while (reader) {  // what takes an answer may drop the connection
        void* next = nullptr;
        if (redisReaderGetReply(reader.get(), &next) != REDIS_OK)
            return drop(fmt::format("unreadable: {}", reader->errstr));
        if (!next) return;
        const std::unique_ptr<void, decltype(&freeReplyObject)> reply(next, freeReplyObject);
        take(*static_cast<const redisReply*>(next));
    }
}

void Redis::State::take(const redisReply& reply) {
    if (subscribed) {
        const auto text = [&](std::size_t i) {
            const auto* item = reply.element[i];
            return item->str ? std::string_view(item->str, item->len) : std::string_view();
        };
        if (reply.type == REDIS_REPLY_ARRAY && reply.elements == 3 && text(0) == "message" &&
            handlers.message)
            handlers.message(text(1), text(2));
        return;
    }
    if (pending.empty()) return drop("it answers what nobody asked");
    auto first = std::move(pending.front());
    pending.pop_front();
    queued -= first.bytes;
    first.answer(reply_of(reply));
}

void Redis::State::look() {
    const auto oldest = !up ? begun : pending.empty() ? loop.now() : pending.front().since;
    if (stream && loop.now() - oldest >= options.patience)
        return drop(up ? "no answer in time" : "no connection in time");
    watchdog = loop.after(watch_interval, [this] { look(); });
}

void Redis::State::drop(std::string why) {
    if (!stream || ended) return;
    reason = std::move(why);
    stream.reset();
    reader.reset();
    subscribed = false;
    queued = 0;
    // In a later round: whoever has it dropped may be in the middle of something.
    loop.post([state = shared_from_this(), was_up = std::exchange(up, false),
               owed = std::exchange(pending, {})]() mutable {
        for (auto& command : owed) {
            if (state->ended) return;
            command.answer(fail("Redis: {}", state->reason));
        }
        if (state->ended) return;
        if (was_up) {
            LOG_WARNING(about, "{} is lost: {}", state->options.endpoint.text(), state->reason);
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
    state_->stream.reset();
}

bool Redis::connected() const { return state_->up; }

void Redis::command(const std::vector<std::string_view>& words, Answer answer) {
    if (!state_->up || state_->subscribed)
        return answer(fail("Redis: {}", state_->reason.empty() ? "not connected" : state_->reason));
    state_->send(words, std::move(answer));
}

void Redis::subscribe(const std::vector<std::string_view>& channels) {
    if (!state_->up) return;
    std::vector<std::string_view> words{"SUBSCRIBE"};
    words.insert(words.end(), channels.begin(), channels.end());
    state_->send(words, [state = state_.get()](const Result<Reply>& reply) {
        if (!reply) return state->drop(reply.error().text());
        state->subscribed = true;
    });
}

void Redis::reconnect(std::string_view why) { state_->drop(std::string(why)); }

}  // namespace strowger::io
