#include "io/dns.hpp"

#include <ares.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>

#include <deque>
#include <stdexcept>
#include <unordered_map>

#include "base/bytes.hpp"
#include "base/text.hpp"
#include "io/completion.hpp"
#include "io/file.hpp"
#include "io/native_address.hpp"

namespace strowger::io {

namespace {

constexpr std::size_t max_name = 255;  // RFC 1035 section 2.3.4
constexpr std::size_t max_hosts_file = 1 << 20;
constexpr std::size_t header_size = 12;      // RFC 1035 section 4.1.1
constexpr std::size_t max_in_flight = 2000;  // each holds a c-ares query and a task

struct Answer {
    int status = ARES_ESERVFAIL;
    std::vector<std::uint8_t> bytes;
};

std::string_view type_name(int type) {
    switch (type) {
        case ns_t_a: return "A";
        case ns_t_aaaa: return "AAAA";
        case ns_t_srv: return "SRV";
        case ns_t_naptr: return "NAPTR";
        case ns_t_txt: return "TXT";
        default: return "?";
    }
}

bool says_there_is_none(int status) { return status == ARES_ENOTFOUND || status == ARES_ENODATA; }

// The smallest TTL of the answer section; c-ares does not tell it for all types.
std::optional<std::uint32_t> smallest_ttl(Bytes message) {
    if (message.size() < header_size) return std::nullopt;
    const auto* data = message.data();
    const auto size = static_cast<int>(message.size());
    std::size_t at = header_size;
    const auto skip_name = [&] {
        char* name = nullptr;
        long length = 0;
        if (at >= message.size() || ares_expand_name(data + at, data, size, &name, &length) != 0)
            return false;
        ares_free_string(name);
        at += static_cast<std::size_t>(length);
        return true;
    };
    for (int i = 0; i < load16(message, 4); ++i) {
        if (!skip_name()) return std::nullopt;
        at += 4;
    }
    std::optional<std::uint32_t> smallest;
    for (int i = 0; i < load16(message, 6); ++i) {
        if (!skip_name() || at + 10 > message.size()) return smallest;
        const auto ttl = load32(message, at + 4);
        smallest = std::min(smallest.value_or(ttl), ttl);
        at += 10 + load16(message, at + 8);
    }
    return smallest;
}

}  // namespace

struct Resolver::Impl : std::enable_shared_from_this<Impl> {
    Impl(Loop& l, Options o) : loop(l), options(std::move(o)) {}

    struct Cached {
        Answer answer;
        Time expires;
        std::uint64_t serial;
    };
    struct Query {
        std::shared_ptr<Impl> resolver;
        std::string key;
        Completion<Answer> done;
    };

    Loop& loop;
    Options options;
    ares_channel channel = nullptr;
    std::unordered_map<int, std::unique_ptr<Watch>> watches;
    Timer timer;
    std::unordered_map<std::string, Cached> cache;
    std::deque<std::pair<std::uint64_t, std::string>> cache_order;
    std::uint64_t next_serial = 0;
    std::size_t in_flight = 0;
    std::unordered_map<std::string, std::vector<IpAddress>> hosts;
    WallTime hosts_read{};

    void open() {
        static const int library = ares_library_init(ARES_LIB_INIT_ALL);
        ares_options native{};
        native.timeout = static_cast<int>(options.timeout / std::chrono::milliseconds{1});
        native.tries = options.tries;
        native.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
            static_cast<Impl*>(self)->watch(fd, readable, writable);
        };
        native.sock_state_cb_data = this;
        const int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
        int status = library != ARES_SUCCESS ? library : ares_init_options(&channel, &native, mask);
        if (status == ARES_SUCCESS && !options.servers.empty()) {
            std::string list;
            for (const auto& server : options.servers) {
                if (!list.empty()) list += ',';
                list += server.text();
            }
            status = ares_set_servers_ports_csv(channel, list.c_str());
        }
        if (status != ARES_SUCCESS)
            throw std::runtime_error(fmt::format("DNS resolver: {}", ares_strerror(status)));
    }

    void watch(int fd, bool readable, bool writable) {
        if (!readable && !writable) {
            watches.erase(fd);
            return;
        }
        auto& slot = watches[fd];
        if (!slot) slot = std::make_unique<Watch>(loop, fd);
        const auto process = [this](int in, int out) {
            const auto keep = shared_from_this();
            ares_process_fd(channel, in, out);
            arm();
        };
        slot->on_readable(readable ? std::function<void()>([=] { process(fd, ARES_SOCKET_BAD); })
                                   : nullptr);
        slot->on_writable(writable ? std::function<void()>([=] { process(ARES_SOCKET_BAD, fd); })
                                   : nullptr);
    }

    void arm() {
        timeval wait{};
        if (!ares_timeout(channel, nullptr, &wait)) return timer.cancel();
        const auto delay = std::chrono::seconds{wait.tv_sec} +
                           std::chrono::microseconds{wait.tv_usec} + std::chrono::milliseconds{1};
        timer = loop.after(delay, [this] {
            ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
            arm();
        });
    }

    Completion<Answer> ask(const std::string& name, int type) {
        Completion<Answer> done;
        const auto key = fmt::format("{} {}", type, to_lower(name));
        if (const auto found = cache.find(key); found != cache.end()) {
            if (found->second.expires > loop.now()) {
                done.resolve(found->second.answer);
                return done;
            }
            cache.erase(found);
        }
        if (name.empty() || name.size() > max_name) {
            done.resolve({ARES_EBADNAME, {}});
            return done;
        }
        if (in_flight >= max_in_flight) {
            done.resolve({ARES_EREFUSED, {}});
            return done;
        }
        ++in_flight;
        auto* query = new Query{shared_from_this(), key, done};  // freed by the one callback
        ares_query(
            channel, name.c_str(), ns_c_in, type,
            [](void* argument, int status, int, unsigned char* bytes, int length) {
                const std::unique_ptr<Query> ended(static_cast<Query*>(argument));
                Answer answer{status, {}};
                if (bytes && length > 0) answer.bytes.assign(bytes, bytes + length);
                ended->resolver->answered(*ended, std::move(answer));
            },
            query);
        arm();
        return done;
    }

    void answered(const Query& query, Answer answer) {
        --in_flight;
        if (answer.status == ARES_EDESTRUCTION) return;
        if (answer.status == ARES_SUCCESS) {
            const auto ttl = smallest_ttl(answer.bytes).value_or(0);
            keep(query.key, answer,
                 std::clamp<Duration>(std::chrono::seconds{ttl}, options.min_ttl, options.max_ttl));
        } else if (says_there_is_none(answer.status)) {
            keep(query.key, answer, options.negative_ttl);
        }
        // Outside c-ares, which must not be torn down by what follows.
        loop.post([done = query.done, answer = std::move(answer)]() mutable {
            done.resolve(std::move(answer));
        });
    }

    void keep(const std::string& key, const Answer& answer, Duration ttl) {
        const auto serial = next_serial++;
        cache[key] = {answer, loop.now() + ttl, serial};
        cache_order.emplace_back(serial, key);
        while (cache_order.size() > options.max_cached) {
            const auto& [oldest, name] = cache_order.front();
            const auto found = cache.find(name);
            if (found != cache.end() && found->second.serial == oldest) cache.erase(found);
            cache_order.pop_front();
        }
    }

    static std::unexpected<Error> error_of(const std::string& name, int type, int status) {
        return fail_with(
            says_there_is_none(status) || status == ARES_EBADNAME ? not_found : temporary,
            "DNS {} {}: {}", type_name(type), name, ares_strerror(status));
    }

    static Result<std::vector<IpAddress>> parse_a(const std::string& name, const Answer& answer) {
        std::array<ares_addrttl, max_records> found{};
        int count = static_cast<int>(found.size());
        const int status =
            answer.status != ARES_SUCCESS
                ? answer.status
                : ares_parse_a_reply(answer.bytes.data(), static_cast<int>(answer.bytes.size()),
                                     nullptr, found.data(), &count);
        if (status != ARES_SUCCESS) return error_of(name, ns_t_a, status);
        std::vector<IpAddress> list;
        for (int i = 0; i < count; ++i)
            list.push_back(ip_from(found[static_cast<std::size_t>(i)].ipaddr));
        return list;
    }

    static Result<std::vector<IpAddress>> parse_aaaa(const std::string& name,
                                                     const Answer& answer) {
        std::array<ares_addr6ttl, max_records> found{};
        int count = static_cast<int>(found.size());
        const int status =
            answer.status != ARES_SUCCESS
                ? answer.status
                : ares_parse_aaaa_reply(answer.bytes.data(), static_cast<int>(answer.bytes.size()),
                                        nullptr, found.data(), &count);
        if (status != ARES_SUCCESS) return error_of(name, ns_t_aaaa, status);
        std::vector<IpAddress> list;
        for (int i = 0; i < count; ++i) {
            in6_addr native{};
            std::memcpy(&native, &found[static_cast<std::size_t>(i)].ip6addr, sizeof native);
            list.push_back(ip_from(native));
        }
        return list;
    }

    const std::vector<IpAddress>* find_host(const std::string& host) {
        const auto info = file_info(options.hosts_file);
        if (!info) return nullptr;
        if (info->modified != hosts_read) {
            hosts.clear();
            hosts_read = info->modified;
            if (const auto text = read_file(options.hosts_file, max_hosts_file)) read_hosts(*text);
        }
        const auto found = hosts.find(to_lower(host));
        return found == hosts.end() ? nullptr : &found->second;
    }

    void read_hosts(std::string_view text) {
        for (auto line : split(text, '\n')) {
            line = trim(split_once(line, '#').first);
            const auto end = line.find_first_of(" \t");
            if (end == std::string_view::npos) continue;
            const auto ip = IpAddress::parse(line.substr(0, end));
            line.remove_prefix(end);
            while (ip && !(line = trim(line)).empty()) {
                const auto word = line.substr(0, line.find_first_of(" \t"));
                auto& list = hosts[to_lower(word)];
                if (std::find(list.begin(), list.end(), *ip) == list.end()) list.push_back(*ip);
                line.remove_prefix(word.size());
            }
        }
        for (auto& [name, list] : hosts)
            std::stable_sort(list.begin(), list.end(),
                             [](const auto& a, const auto& b) { return a.is_v4() && b.is_v6(); });
    }
};

Resolver::Resolver(Loop& loop, Options options)
    : impl_(std::make_shared<Impl>(loop, std::move(options))) {
    impl_->open();
}

Resolver::~Resolver() {
    impl_->timer.cancel();
    ares_destroy(impl_->channel);
}

void Resolver::clear_cache() {
    impl_->cache.clear();
    impl_->cache_order.clear();
}

Task<Result<std::vector<IpAddress>>> Resolver::a(std::string name) {
    const auto done = impl_->ask(name, ns_t_a);
    const Answer answer = co_await done;
    co_return Impl::parse_a(name, answer);
}

Task<Result<std::vector<IpAddress>>> Resolver::aaaa(std::string name) {
    const auto done = impl_->ask(name, ns_t_aaaa);
    const Answer answer = co_await done;
    co_return Impl::parse_aaaa(name, answer);
}

Task<Result<std::vector<SrvRecord>>> Resolver::srv(std::string name) {
    const auto done = impl_->ask(name, ns_t_srv);
    const Answer answer = co_await done;
    ares_srv_reply* first = nullptr;
    const int status = answer.status != ARES_SUCCESS
                           ? answer.status
                           : ares_parse_srv_reply(answer.bytes.data(),
                                                  static_cast<int>(answer.bytes.size()), &first);
    if (status != ARES_SUCCESS) co_return Impl::error_of(name, ns_t_srv, status);
    const std::unique_ptr<ares_srv_reply, void (*)(void*)> owner(first, ares_free_data);
    std::vector<SrvRecord> records;
    for (auto* at = first; at && records.size() < max_records; at = at->next) {
        SrvRecord record;
        record.priority = at->priority;
        record.weight = at->weight;
        record.port = at->port;
        record.target = at->host;
        records.push_back(std::move(record));
    }
    co_return records;
}

Task<Result<std::vector<NaptrRecord>>> Resolver::naptr(std::string name) {
    const auto done = impl_->ask(name, ns_t_naptr);
    const Answer answer = co_await done;
    ares_naptr_reply* first = nullptr;
    const int status = answer.status != ARES_SUCCESS
                           ? answer.status
                           : ares_parse_naptr_reply(answer.bytes.data(),
                                                    static_cast<int>(answer.bytes.size()), &first);
    if (status != ARES_SUCCESS) co_return Impl::error_of(name, ns_t_naptr, status);
    const std::unique_ptr<ares_naptr_reply, void (*)(void*)> owner(first, ares_free_data);
    const auto text = [](const unsigned char* s) {
        return std::string(reinterpret_cast<const char*>(s));
    };
    std::vector<NaptrRecord> records;
    for (auto* at = first; at && records.size() < max_records; at = at->next) {
        NaptrRecord record;
        record.order = at->order;
        record.preference = at->preference;
        record.flags = text(at->flags);
        record.service = text(at->service);
        record.regexp = text(at->regexp);
        record.replacement = at->replacement;
        records.push_back(std::move(record));
    }
    co_return records;
}

Task<Result<std::vector<std::string>>> Resolver::txt(std::string name) {
    const auto done = impl_->ask(name, ns_t_txt);
    const Answer answer = co_await done;
    ares_txt_ext* first = nullptr;
    const int status =
        answer.status != ARES_SUCCESS
            ? answer.status
            : ares_parse_txt_reply_ext(answer.bytes.data(), static_cast<int>(answer.bytes.size()),
                                       &first);
    if (status != ARES_SUCCESS) co_return Impl::error_of(name, ns_t_txt, status);
    const std::unique_ptr<ares_txt_ext, void (*)(void*)> owner(first, ares_free_data);
    std::vector<std::string> records;
    for (auto* at = first; at; at = at->next) {
        if (at->record_start || records.empty()) {
            if (records.size() == max_records) break;
            records.emplace_back();
        }
        records.back().append(reinterpret_cast<const char*>(at->txt), at->length);
    }
    co_return records;
}

Task<Result<std::vector<IpAddress>>> Resolver::addresses(std::string host) {
    if (const auto literal = IpAddress::parse(host)) co_return std::vector<IpAddress>{*literal};
    if (const auto* known = impl_->find_host(host)) co_return *known;
    const auto four_done = impl_->ask(host, ns_t_a);
    const auto six_done = impl_->ask(host, ns_t_aaaa);
    const Answer four_answer = co_await four_done;
    const Answer six_answer = co_await six_done;
    auto four = Impl::parse_a(host, four_answer);
    auto six = Impl::parse_aaaa(host, six_answer);
    if (!four && !six) {
        // A server that failed may know better than one that said no.
        if (six.error().code() == temporary) co_return std::unexpected(six.error());
        co_return std::unexpected(four.error());
    }
    std::vector<IpAddress> list;
    for (const auto* found : {&four, &six})
        if (*found) list.insert(list.end(), (*found)->begin(), (*found)->end());
    co_return list;
}

}  // namespace strowger::io
