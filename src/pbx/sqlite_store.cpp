#include "pbx/sqlite_store.hpp"

#include "base/log.hpp"
#include "base/text.hpp"

namespace strowger::pbx {

namespace {

constexpr log::About about{"database"};

}  // namespace

SqliteStore::SqliteStore(io::Database database, io::Statement write, io::Statement remove)
    : database_(std::move(database)), write_(std::move(write)), remove_(std::move(remove)) {}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path) {
    auto database = io::Database::open(path);
    if (!database) return std::unexpected(database.error());
    // NORMAL with WAL: a power cut may lose the last values, never the file.
    if (auto made = database->exec("PRAGMA synchronous=NORMAL;"
                                   "CREATE TABLE IF NOT EXISTS entry(family TEXT, key TEXT, value "
                                   "TEXT, PRIMARY KEY(family, key))");
        !made)
        return std::unexpected(made.error());
    auto write = database->prepare(
        "INSERT INTO entry VALUES(?,?,?) ON CONFLICT(family,key) DO UPDATE SET "
        "value=excluded.value");
    if (!write) return std::unexpected(write.error());
    auto remove = database->prepare("DELETE FROM entry WHERE family=? AND key=?");
    if (!remove) return std::unexpected(remove.error());
    auto read = database->prepare("SELECT family, key, value FROM entry");
    if (!read) return std::unexpected(read.error());
    std::unique_ptr<SqliteStore> store(
        new SqliteStore(std::move(*database), std::move(*write), std::move(*remove)));
    for (;;) {
        const auto more = read->step();
        if (!more) return std::unexpected(more.error());
        if (!*more) break;
        store->memory_.put(read->text(0), read->text(1), read->text(2));
        ++store->entries_;
    }
    return store;
}

bool SqliteStore::run(io::Statement& statement, const std::string& what) {
    const auto done = statement.run();
    if (!done) LOG_ERROR(about, "{}: {}", what, done.error().text());
    return done.has_value();
}

std::optional<std::string> SqliteStore::get(std::string_view family, std::string_view key) {
    return memory_.get(family, key);
}

bool SqliteStore::put(std::string_view family, std::string_view key, std::string_view value) {
    if (value.size() > max_value) return false;
    const bool is_new = !memory_.get(family, key);
    if (is_new && entries_ >= max_entries) {
        LOG_WARNING(about, "full: {} entries; '{}/{}' is not stored", max_entries, family, key);
        return false;
    }
    write_.bind(1, family).bind(2, key).bind(3, value);
    if (!run(write_, "write")) return false;
    entries_ += is_new;
    return memory_.put(family, key, value);
}

bool SqliteStore::erase(std::string_view family, std::string_view key) {
    if (!memory_.erase(family, key)) return false;
    --entries_;
    remove_.bind(1, family).bind(2, key);
    return run(remove_, "remove");
}

std::size_t SqliteStore::erase_tree(std::string_view family, std::string_view key) {
    // "/family/key": names of families hold no slash, keys may.
    for (const auto& [path, value] : memory_.list(family, key)) {
        const auto [of, name] = split_once(std::string_view(path).substr(1), '/');
        remove_.bind(1, of).bind(2, name);
        (void)run(remove_, "remove");
    }
    const auto gone = memory_.erase_tree(family, key);
    entries_ -= gone;
    return gone;
}

std::vector<std::pair<std::string, std::string>> SqliteStore::list(std::string_view family,
                                                                   std::string_view key) {
    return memory_.list(family, key);
}

}  // namespace strowger::pbx
