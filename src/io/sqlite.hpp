#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace strowger::io {

/// A prepared statement. Bind (from 1), step until false, read columns (from 0), reset to reuse.
class Statement {
public:
    Statement& bind(int index, std::int64_t value);
    Statement& bind(int index, double value);
    Statement& bind(int index, std::string_view text);
    Statement& bind_blob(int index, Bytes bytes);
    Statement& bind_null(int index);

    /// True: a row is there. False: done, and the statement is reset for the next use.
    Result<bool> step();
    Result<> run();  ///< steps to the end, ignoring rows
    void reset();    ///< and forgets what was bound

    std::int64_t integer(int column) const;
    double real(int column) const;
    std::string_view text(int column) const;  ///< valid until the next step
    Bytes blob(int column) const;
    bool is_null(int column) const;

private:
    friend class Database;
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const;
    };
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    int bind_error_ = 0;  // reported by the next step, so that binds can be chained
};

/// An SQLite database of one thread, in WAL mode with foreign keys enforced.
class Database {
public:
    /// ":memory:" for none on disk. Waits up to 2 s for another process's lock.
    static Result<Database> open(const std::string& path);

    Result<> exec(const std::string& sql);  ///< one or more statements without parameters
    Result<Statement> prepare(std::string_view sql);
    std::int64_t last_insert_id() const;
    std::int64_t changes() const;  ///< rows changed by the last statement

private:
    struct Close {
        void operator()(sqlite3* database) const;
    };
    std::unique_ptr<sqlite3, Close> database_;
};

/// Everything until `commit` happens or, when it is destroyed before, does not.
class Transaction {
public:
    static Result<Transaction> begin(Database& database);
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    Result<> commit();

private:
    explicit Transaction(Database& database) : database_(&database) {}
    Database* database_;
};

}  // namespace strowger::io
