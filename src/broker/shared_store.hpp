#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/redis.hpp"

namespace strowger::broker {

/// Redis as several brokers use it: scripts, which Redis runs one at a time and whole, and messages
/// by subject. What the brokers share changes nowhere else than in such scripts, so that no two of
/// them ever decide the same thing.
class SharedStore {
public:
    using Words = std::vector<std::string_view>;
    using Answer = io::Redis::Answer;
    /// Without a word from Redis for this long, its messages are taken for lost.
    static constexpr Duration silence = std::chrono::seconds{5};
    /// All keys begin with it; the braces put them on one node of a Redis cluster.
    static constexpr std::string_view prefix = "{strowger:broker}:";

    SharedStore(io::Loop& loop, io::Redis::Endpoint endpoint);

    /// The name of this broker among the others, new at each start.
    const std::string& self() const { return self_; }
    bool up() const { return up_; }

    /// `script` gets `words` as ARGV, and the prefix as the local `p`, the time in ms as `now`.
    void run(std::string_view script, const Words& words, Answer answer);
    void command(const Words& words, Answer answer) { commands_.command(words, std::move(answer)); }
    /// Messages of a subject; before the loop runs.
    void on(std::string subject, std::function<void(std::string_view text)> heard);
    /// Called when both directions work, and when they do no more.
    void on_up(std::function<void()> fn) { went_up_.push_back(std::move(fn)); }
    void on_down(std::function<void()> fn) { went_down_.push_back(std::move(fn)); }

private:
    void changed();
    void watch();

    io::Loop& loop_;
    std::string self_;
    std::unordered_map<std::string, std::function<void(std::string_view)>> subjects_;
    std::vector<std::function<void()>> went_up_, went_down_;
    bool up_ = false;
    Time heard_{};
    io::Timer watch_;
    io::Redis messages_, commands_;
};

}  // namespace strowger::broker
