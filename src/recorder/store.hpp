#pragma once

#include <optional>
#include <string>

#include "io/sqlite.hpp"
#include "recorder/recorded_call.hpp"

namespace strowger::recorder {

/// Which calls were recorded, and where to: an SQLite database with the tables `recording_calls`,
/// `recording_streams` and `recording_metakeys`.
class Store {
public:
    static Result<Store> open(const std::string& path);

    /// All of a call, or nothing.
    Result<> add(const Recorded& call);

private:
    explicit Store(io::Database database) : database_(std::move(database)) {}
    Result<> add_streams(std::int64_t call, const Recorded& recorded);
    Result<> add_keys(std::int64_t call, const Recorded& recorded);

    io::Database database_;
};

}  // namespace strowger::recorder
