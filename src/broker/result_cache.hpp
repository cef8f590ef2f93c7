#pragma once

#include <list>
#include <string>
#include <unordered_map>

#include "broker/jobs.hpp"

namespace strowger::broker {

/// Results of tasks whose clients said that the same parameters give the same result: a token that
/// asks again gets what it got before. What was used least recently goes first.
class ResultCache {
public:
    static constexpr std::size_t max_entries = 16'384;

    /// `max_bytes` of all results; 0: none are kept.
    explicit ResultCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

    /// What a request is known by, or nothing when it is not `deterministic`. Tokens see nothing of
    /// each other, so that nobody learns what others ran, or gets what their providers made up.
    std::string key_of(const TaskRequest& request, const std::string& tenant) const;
    const TaskResponse* find(const std::string& key);
    /// Only what came out well; failures may pass.
    void put(const std::string& key, const TaskResponse& response);

    std::size_t bytes() const { return bytes_; }
    std::size_t size() const { return entries_.size(); }

private:
    struct Entry {
        std::string key;
        TaskResponse response;
        std::size_t bytes;
    };
    void drop_last();

    std::size_t max_bytes_, bytes_ = 0;
    std::list<Entry> order_;  // used last first
    std::unordered_map<std::string, std::list<Entry>::iterator> entries_;
};

}  // namespace strowger::broker
