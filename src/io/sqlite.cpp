#include "io/sqlite.hpp"

#include <sqlite3.h>

#include "base/result.hpp"

namespace strowger::io {

namespace {

constexpr int busy_timeout_ms = 2000;

Error error_of(sqlite3* database, std::string_view doing) {
    return Error(fmt::format("SQLite: {}: {}", doing, sqlite3_errmsg(database)),
                 sqlite3_extended_errcode(database));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

namespace {

// The first failed bind counts.
void note(int& kept, int code) {
    if (kept == SQLITE_OK) kept = code;
}

}  // namespace

Statement& Statement::bind(int index, std::int64_t value) {
    note(bind_error_, sqlite3_bind_int64(statement_.get(), index, value));
    return *this;
}
Statement& Statement::bind(int index, double value) {
    note(bind_error_, sqlite3_bind_double(statement_.get(), index, value));
    return *this;
}
Statement& Statement::bind(int index, std::string_view text) {
    note(bind_error_, sqlite3_bind_text64(statement_.get(), index, text.data() ? text.data() : "",
                                          text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
    return *this;
}
Statement& Statement::bind_blob(int index, Bytes bytes) {
    static constexpr std::uint8_t nothing = 0;  // a null pointer would bind NULL
    note(bind_error_,
         sqlite3_bind_blob64(statement_.get(), index, bytes.data() ? bytes.data() : &nothing,
                             bytes.size(), SQLITE_TRANSIENT));
    return *this;
}
Statement& Statement::bind_null(int index) {
    note(bind_error_, sqlite3_bind_null(statement_.get(), index));
    return *this;
}

Result<bool> Statement::step() {
    if (bind_error_ != SQLITE_OK) {
        const int code = std::exchange(bind_error_, SQLITE_OK);
        return fail_with(code, "SQLite: bind to '{}': {}", sqlite3_sql(statement_.get()),
                         sqlite3_errstr(code));
    }
    switch (sqlite3_step(statement_.get())) {
        case SQLITE_ROW: return true;
        case SQLITE_DONE: sqlite3_reset(statement_.get()); return false;
        default: break;
    }
    auto error = error_of(sqlite3_db_handle(statement_.get()), sqlite3_sql(statement_.get()));
    sqlite3_reset(statement_.get());
    return std::unexpected(std::move(error));
}

Result<> Statement::run() {
    for (;;) {
        const auto row = step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return {};
    }
}

void Statement::reset() {
    sqlite3_reset(statement_.get());
    sqlite3_clear_bindings(statement_.get());
    bind_error_ = SQLITE_OK;
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}
double Statement::real(int column) const { return sqlite3_column_double(statement_.get(), column); }
std::string_view Statement::text(int column) const {
    const auto* text = sqlite3_column_text(statement_.get(), column);
    const int size = sqlite3_column_bytes(statement_.get(), column);
    return text ? std::string_view(reinterpret_cast<const char*>(text),
                                   static_cast<std::size_t>(size))
                : std::string_view{};
}
Bytes Statement::blob(int column) const {
    const auto* bytes =
        static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_.get(), column));
    const int size = sqlite3_column_bytes(statement_.get(), column);
    return bytes ? Bytes(bytes, static_cast<std::size_t>(size)) : Bytes{};
}
bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

Result<Database> Database::open(const std::string& path) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(
        path.c_str(), &raw,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
        nullptr);
    Database database;
    database.database_.reset(raw);
    if (code != SQLITE_OK) return std::unexpected(error_of(raw, "open " + path));
    sqlite3_busy_timeout(raw, busy_timeout_ms);
    // NORMAL loses at most the last transactions at a power failure, never the database.
    auto done = database.exec(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;");
    if (!done) return std::unexpected(done.error().within(path));
    return database;
}

Result<> Database::exec(const std::string& sql) {
    if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
        return std::unexpected(error_of(database_.get(), sql.substr(0, 200)));
    return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &raw,
                           nullptr) != SQLITE_OK)
        return std::unexpected(error_of(database_.get(), sql.substr(0, 200)));
    if (!raw) return fail("SQLite: '{}' is no statement", sql.substr(0, 200));
    Statement statement;
    statement.statement_.reset(raw);
    return statement;
}

std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(database_.get()); }
std::int64_t Database::changes() const { return sqlite3_changes64(database_.get()); }

Result<Transaction> Transaction::begin(Database& database) {
    if (auto ok = database.exec("BEGIN IMMEDIATE"); !ok) return std::unexpected(ok.error());
    return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
    if (database_) (void)database_->exec("ROLLBACK");
}

Result<> Transaction::commit() {
    auto done = database_->exec("COMMIT");
    if (done) database_ = nullptr;
    return done;
}

}  // namespace strowger::io
