#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strowger::dialplan {

/// The exchange's small database behind DB() and `database show`: family, key, value. Called from
/// every signalling thread.
class Store {
public:
    virtual ~Store() = default;
    virtual std::optional<std::string> get(std::string_view family, std::string_view key) = 0;
    virtual bool put(std::string_view family, std::string_view key, std::string_view value) = 0;
    virtual bool erase(std::string_view family, std::string_view key) = 0;
    /// Everything of a family, or with `key` only what is at or below it ("a" has "a" and "a/b").
    virtual std::size_t erase_tree(std::string_view family, std::string_view key) = 0;
    /// "/family/key" and value, sorted; of one family, or of all when it is empty.
    virtual std::vector<std::pair<std::string, std::string>> list(std::string_view family,
                                                                  std::string_view key) = 0;
};

/// One that forgets with the process.
class MemoryStore final : public Store {
public:
    std::optional<std::string> get(std::string_view family, std::string_view key) override;
    bool put(std::string_view family, std::string_view key, std::string_view value) override;
    bool erase(std::string_view family, std::string_view key) override;
    std::size_t erase_tree(std::string_view family, std::string_view key) override;
    std::vector<std::pair<std::string, std::string>> list(std::string_view family,
                                                          std::string_view key) override;

private:
    std::mutex mutex_;
    std::map<std::string, std::string, std::less<>> values_;  ///< by "/family/key"
};

}  // namespace strowger::dialplan
