#include "broker/shared_files.hpp"

#include <unordered_set>

#include "base/log.hpp"
#include "base/text.hpp"
#include "broker/jobs.hpp"

namespace strowger::broker {

namespace {

using connect::Code;
using io::Redis;

constexpr log::About about{"broker"};
// Requests for one file that may wait for it together.
constexpr std::size_t max_waiting = 4096;

// Keys: file:REF the content; files REF -> size and media; aliases NAME -> REF, owner;
// files:used REF -> when; files:named REF -> aliases; files:bytes.
// ARGV: ref, media, content or nothing, alias or nothing, owner or nothing, bytes of all.
// Answers 1, or 0 when there is no room, or -1 when the alias is somebody else's.
constexpr std::string_view put_script =
    "local known=redis.call('HGET',p..'files',ARGV[1]) local size=#ARGV[3] "
    "local held=ARGV[4]~='' and redis.call('HGET',p..'aliases',ARGV[4]) "
    "if held then local owner=string.match(held,'^%S+ (.*)$') "
    " if ARGV[5]~='' and owner~=ARGV[5] then return -1 end end "
    "if not known then "
    " if size==0 then return 1 end "
    " local used=tonumber(redis.call('GET',p..'files:bytes') or 0) "
    " for _,old in ipairs(redis.call('ZRANGE',p..'files:used',0,1000)) do "
    "  if used+size<=tonumber(ARGV[6]) then break end "
    "  if tonumber(redis.call('HGET',p..'files:named',old) or 0)<=0 then "
    "   local bytes=redis.call('STRLEN',p..'file:'..old) used=used-bytes "
    "   redis.call('DECRBY',p..'files:bytes',bytes) redis.call('DEL',p..'file:'..old) "
    "   redis.call('HDEL',p..'files',old) redis.call('HDEL',p..'files:named',old) "
    "   redis.call('ZREM',p..'files:used',old) end end "
    " if used+size>tonumber(ARGV[6]) then return 0 end "
    " redis.call('SET',p..'file:'..ARGV[1],ARGV[3]) "
    " redis.call('HSET',p..'files',ARGV[1],size..' '..ARGV[2]) "
    " redis.call('INCRBY',p..'files:bytes',size) end "
    "redis.call('ZADD',p..'files:used',now,ARGV[1]) "
    "if ARGV[4]~='' then "
    " if held then redis.call('HINCRBY',p..'files:named',string.match(held,'^%S+'),-1) end "
    " redis.call('HINCRBY',p..'files:named',ARGV[1],1) "
    " redis.call('HSET',p..'aliases',ARGV[4],ARGV[1]..' '..ARGV[5]) end "
    "redis.call('PUBLISH',p..'files',ARGV[1]..'\\n'..redis.call('HGET',p..'files',ARGV[1])..'\\n'.."
    " ARGV[5]..'\\n'..ARGV[4]) return 1";

// ARGV: ref. The content, and a mark that it is in use.
constexpr std::string_view get_script =
    "local content=redis.call('GET',p..'file:'..ARGV[1]) "
    "if content then redis.call('ZADD',p..'files:used',now,ARGV[1]) end return content";

// ARGV: ref or alias. Answers as the message of a new file reads.
constexpr std::string_view find_script =
    "local held=redis.call('HGET',p..'aliases',ARGV[1]) local ref=ARGV[1] local owner='' "
    "if held then ref,owner=string.match(held,'^(%S+) (.*)$') end "
    "local file=redis.call('HGET',p..'files',ref) if not file then return false end "
    "return ref..'\\n'..file..'\\n'..owner..'\\n'..(held and ARGV[1] or '')";

Storage::File file_of(std::string_view ref, std::string_view size_and_media) {
    const auto [size, media] = split_once(size_and_media, ' ');
    return {std::string(ref), std::string(media), parse_number<std::size_t>(size).value_or(0)};
}

}  // namespace

SharedFiles::SharedFiles(SharedStore& store, Storage& storage, std::size_t max_bytes)
    : store_(store), storage_(storage), max_bytes_(max_bytes) {
    store_.on("files", [this](std::string_view news) { learned(news); });
    store_.on_up([this] { learn_all(); });
    storage_.set_others(this);
}

SharedFiles::~SharedFiles() {
    *alive_ = false;
    storage_.set_others(nullptr);
}

void SharedFiles::learned(std::string_view news) {
    const auto lines = split(news, '\n');
    if (lines.size() != 4) return;
    storage_.learn(file_of(lines[0], lines[1]));
    storage_.learn_alias(lines[3], lines[0], lines[2]);
}

// First what the others have, then to them what they have not.
void SharedFiles::learn_all() {
    const auto files = std::string(SharedStore::prefix) + "files";
    const auto names = std::string(SharedStore::prefix) + "aliases";
    auto there = std::make_shared<std::unordered_set<std::string>>();
    store_.command({"HGETALL", files}, [this, alive = alive_, there](Result<Redis::Reply> reply) {
        if (!*alive || !reply) return;
        const auto& items = reply->items;
        for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
            storage_.learn(file_of(items[i].text, items[i + 1].text));
            there->insert(items[i].text);
        }
    });
    store_.command({"HGETALL", names}, [this, alive = alive_, there](Result<Redis::Reply> reply) {
        if (!*alive || !reply) return;
        std::unordered_set<std::string> known;
        const auto& items = reply->items;
        for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
            const auto [ref, owner] = split_once(items[i + 1].text, ' ');
            storage_.learn_alias(items[i].text, ref, owner);
            known.insert(items[i].text);
        }
        rest_.clear();
        for (auto& file : storage_.contents())
            if (!there->contains(file.ref)) rest_.push_back({"", std::move(file)});
        for (auto& named : storage_.aliases())
            if (!known.contains(named.alias)) rest_.push_back(std::move(named));
        share_rest();
    });
}

void SharedFiles::share_rest() {
    if (rest_.empty() || !store_.up()) return;
    const auto next = std::move(rest_.front());
    rest_.pop_front();
    share(next.file, next.alias, next.owner, [this, alive = alive_](const Result<>& done) {
        if (!*alive) return;
        if (!done) LOG_WARNING(about, "a file is not shared: {}", done.error().text());
        share_rest();
    });
}

void SharedFiles::put(const Storage::File& file, std::string_view content, std::string_view alias,
                      std::string_view owner, Then then) {
    const auto most = fmt::format("{}", max_bytes_);
    store_.run(
        put_script, {file.ref, file.media, content, alias, owner, most},
        [this, alive = alive_, ref = file.ref,
         then = std::move(then)](Result<Redis::Reply> reply) mutable {
            if (!*alive) return;
            if (!reply) {
                LOG_WARNING(about, "{} is shared later: {}", ref, reply.error().text());
                return then({});
            }
            if (reply->number == 0)
                return then(fail_with(Storage::too_large, "the storage of all brokers is full"));
            if (reply->number < 0)
                return then(fail_with(Storage::not_yours, "it is somebody else's alias"));
            storage_.shared(ref);
            then({});
        });
}

void SharedFiles::share(const Storage::File& file, std::string_view alias, std::string_view owner,
                        Then then) {
    if (!store_.up()) return then({});
    // An alias of something that is elsewhere needs no content.
    if (!storage_.here(file.ref)) return put(file, "", alias, owner, std::move(then));
    const auto content = storage_.read(file.ref);
    if (!content) return then(std::unexpected(content.error()));
    put(file, **content, alias, owner, std::move(then));
}

void SharedFiles::fetch(const std::string& ref, Then then) {
    if (storage_.here(ref)) return then({});
    auto& waiting = fetches_[ref];
    if (waiting.size() >= max_waiting)
        return then(refuse(Code::resource_exhausted, "too many wait for this file"));
    waiting.push_back(std::move(then));
    if (waiting.size() > 1) return;
    store_.run(get_script, {ref}, [this, alive = alive_, ref](Result<Redis::Reply> reply) {
        if (!*alive) return;
        Result<> done;
        if (!reply)
            done = refuse(Code::unavailable, reply.error().text());
        else if (reply->kind != Redis::Reply::Kind::text)
            done = refuse(Code::not_found, fmt::format("{} is gone from Redis", ref));
        else
            done = storage_.hold(ref, std::move(reply->text));
        auto node = fetches_.extract(ref);
        for (auto& each : node.mapped()) each(done);
    });
}

void SharedFiles::find(const std::string& ref_or_alias, std::function<void()> then) {
    store_.run(find_script, {ref_or_alias},
               [this, alive = alive_, then = std::move(then)](Result<Redis::Reply> reply) {
                   if (!*alive) return;
                   if (reply && reply->kind == Redis::Reply::Kind::text) learned(reply->text);
                   then();
               });
}

}  // namespace strowger::broker
