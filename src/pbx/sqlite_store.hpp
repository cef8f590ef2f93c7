#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "io/sqlite.hpp"
#include "pbx/dialplan/store.hpp"

namespace strowger::pbx {

/// The exchange's small database (DB(), `database show`) in one SQLite file; survives restarts.
///
/// Values are read from memory and written through: the families that dialplans keep are small, and
/// a call should not wait for the disk to read a forwarding number.
class SqliteStore final : public dialplan::Store {
public:
    static constexpr std::size_t max_entries = 100'000;
    static constexpr std::size_t max_value = 64u << 10;  ///< bytes of one value

    static Result<std::unique_ptr<SqliteStore>> open(const std::string& path);

    std::optional<std::string> get(std::string_view family, std::string_view key) override;
    bool put(std::string_view family, std::string_view key, std::string_view value) override;
    bool erase(std::string_view family, std::string_view key) override;
    std::size_t erase_tree(std::string_view family, std::string_view key) override;
    std::vector<std::pair<std::string, std::string>> list(std::string_view family,
                                                          std::string_view key) override;

private:
    SqliteStore(io::Database database, io::Statement write, io::Statement remove);
    bool run(io::Statement& statement, const std::string& what);

    io::Database database_;
    io::Statement write_, remove_;
    dialplan::MemoryStore memory_;
    std::size_t entries_ = 0;
};

}  // namespace strowger::pbx
