#include "broker/shared_store.hpp"

#include "base/random.hpp"

namespace strowger::broker {

namespace {

constexpr std::size_t name_length = 16;
// Redis' own clock, so that the brokers' need not agree.
constexpr std::string_view preamble =
    "local p='{strowger:broker}:' local t=redis.call('TIME') "
    "local now=t[1]*1000+math.floor(t[2]/1000) ";

}  // namespace

SharedStore::SharedStore(io::Loop& loop, io::Redis::Endpoint endpoint)
    : loop_(loop),
      self_(Random::system().token(name_length)),
      messages_(loop, {.endpoint = endpoint},
                {.connected = [this] { changed(); },
                 .lost = [this](const Error&) { changed(); },
                 .message =
                     [this](std::string_view channel, std::string_view text) {
                         heard_ = loop_.now();
                         channel.remove_prefix(prefix.size());
                         if (const auto at = subjects_.find(std::string(channel));
                             at != subjects_.end())
                             at->second(text);
                     }}),
      commands_(loop, {.endpoint = endpoint},
                {.connected = [this] { changed(); }, .lost = [this](const Error&) { changed(); }}) {
    watch_ = loop_.after(silence, [this] { watch(); });
}

void SharedStore::on(std::string subject, std::function<void(std::string_view)> heard) {
    subjects_[std::move(subject)] = std::move(heard);
}

// Messages first: what is asked after that misses none of them.
void SharedStore::changed() {
    const bool both = messages_.connected() && commands_.connected();
    if (both == up_) return;
    up_ = both;
    if (up_) {
        std::vector<std::string> names;
        for (const auto& [subject, fn] : subjects_) names.push_back(std::string(prefix) + subject);
        messages_.subscribe(Words(names.begin(), names.end()));
        heard_ = loop_.now();
    } else if (messages_.connected()) {
        // It has subscribed already; a new one does that again when both are there.
        messages_.reconnect("the other connection was lost");
    }
    for (const auto& fn : up_ ? went_up_ : went_down_) fn();
}

// A connection that only listens would not notice that it is dead; this broker's own beat comes
// back over it.
void SharedStore::watch() {
    if (up_ && loop_.now() - heard_ >= silence) messages_.reconnect("no message in time");
    watch_ = loop_.after(silence / 4, [this] { watch(); });
}

void SharedStore::run(std::string_view script, const Words& words, Answer answer) {
    const auto text = std::string(preamble) + std::string(script);
    Words all{"EVAL", text, "0"};
    all.insert(all.end(), words.begin(), words.end());
    commands_.command(all, std::move(answer));
}

}  // namespace strowger::broker
