#pragma once

#include <deque>

#include "broker/shared_store.hpp"
#include "broker/storage.hpp"

namespace strowger::broker {

/// The stored files of several brokers: what one gets the others know at once, and fetch when they
/// need it. After Redis was away, each shares what it got meanwhile.
class SharedFiles final : public Storage::Others {
public:
    /// `max_bytes`: of all files in Redis; beyond it those go that no alias names, those unused for
    /// longest first.
    SharedFiles(SharedStore& store, Storage& storage, std::size_t max_bytes);
    ~SharedFiles() override;

    void share(const Storage::File& file, std::string_view alias, std::string_view owner,
               Then then) override;
    void fetch(const std::string& ref, Then then) override;
    void find(const std::string& ref_or_alias, std::function<void()> then) override;

private:
    void learn_all();
    void learned(std::string_view news);
    void share_rest();
    void put(const Storage::File& file, std::string_view content, std::string_view alias,
             std::string_view owner, Then then);

    SharedStore& store_;
    Storage& storage_;
    std::size_t max_bytes_;
    std::deque<Storage::Named> rest_;  // to be shared, one after the other
    std::unordered_map<std::string, std::vector<Then>> fetches_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // asked by answers that come late
};

}  // namespace strowger::broker
