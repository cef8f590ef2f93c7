#include "recorder/store.hpp"

#include <filesystem>

#include "base/text.hpp"

namespace strowger::recorder {
namespace {

constexpr const char* schema = R"(
CREATE TABLE IF NOT EXISTS recording_calls (
  id INTEGER PRIMARY KEY, call_id TEXT NOT NULL, start_timestamp REAL, end_timestamp REAL,
  status TEXT NOT NULL, trouble TEXT);
CREATE INDEX IF NOT EXISTS recording_calls_call_id ON recording_calls (call_id);
CREATE TABLE IF NOT EXISTS recording_streams (
  id INTEGER PRIMARY KEY, call INTEGER NOT NULL REFERENCES recording_calls ON DELETE CASCADE,
  local_filename TEXT NOT NULL, full_filename TEXT NOT NULL, file_format TEXT NOT NULL,
  output_type TEXT NOT NULL, stream_id INTEGER NOT NULL, sample_rate INTEGER NOT NULL,
  channels INTEGER NOT NULL, ssrc TEXT, start_timestamp REAL, end_timestamp REAL,
  tag TEXT, tag_label TEXT);
CREATE INDEX IF NOT EXISTS recording_streams_call ON recording_streams (call);
CREATE TABLE IF NOT EXISTS recording_metakeys (
  call INTEGER NOT NULL REFERENCES recording_calls ON DELETE CASCADE,
  key TEXT NOT NULL, value TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS recording_metakeys_key ON recording_metakeys (key, value);
)";

// Of one call: more is no metadata but a burden.
constexpr std::size_t max_keys = 256;

double calendar(WallTime at) { return seconds(at.time_since_epoch()); }

}  // namespace

Result<Store> Store::open(const std::string& path) {
    auto database = io::Database::open(path);
    if (!database) return std::unexpected(database.error());
    if (auto made = database->exec(schema); !made) return std::unexpected(made.error());
    return Store(std::move(*database));
}

Result<> Store::add(const Recorded& call) {
    auto transaction = io::Transaction::begin(database_);
    if (!transaction) return std::unexpected(transaction.error());
    auto insert = database_.prepare(
        "INSERT INTO recording_calls (call_id, start_timestamp, end_timestamp, status, trouble) "
        "VALUES (?, ?, ?, ?, ?)");
    if (!insert) return std::unexpected(insert.error());
    insert->bind(1, call.metadata.call_id)
        .bind(2, calendar(call.begun))
        .bind(3, calendar(call.ended))
        .bind(4, std::string_view(call.trouble.empty() ? "completed" : "incomplete"))
        .bind(5, call.trouble);
    if (auto done = insert->run(); !done) return done;
    const auto id = database_.last_insert_id();
    if (auto done = add_streams(id, call); !done) return done;
    if (auto done = add_keys(id, call); !done) return done;
    return transaction->commit();
}

Result<> Store::add_streams(std::int64_t call, const Recorded& recorded) {
    auto insert = database_.prepare(
        "INSERT INTO recording_streams (call, local_filename, full_filename, file_format, "
        "output_type, stream_id, sample_rate, channels, ssrc, start_timestamp, end_timestamp, tag, "
        "tag_label) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    if (!insert) return std::unexpected(insert.error());
    std::int64_t number = 0;
    for (const auto& file : recorded.files) {
        const std::filesystem::path path(file.path);
        insert->bind(1, call)
            .bind(2, path.stem().string())
            .bind(3, file.path)
            .bind(4, path.extension().string().substr(1))
            .bind(5, std::string_view(file.mixed ? "mixed" : "single"))
            .bind(6, number++)
            .bind(7, std::int64_t{file.rate})
            .bind(8, std::int64_t{file.channels})
            .bind(9, std::string_view(file.mixed ? std::string_view() : file.kind))
            .bind(10, calendar(file.begun))
            .bind(11, calendar(file.begun + file.length))
            .bind(12, file.tag)
            .bind(13, file.label);
        if (auto done = insert->run(); !done) return done;
    }
    return {};
}

Result<> Store::add_keys(std::int64_t call, const Recorded& recorded) {
    auto insert =
        database_.prepare("INSERT INTO recording_metakeys (call, key, value) VALUES (?, ?, ?)");
    if (!insert) return std::unexpected(insert.error());
    std::size_t count = 0;
    for (const auto part : split(recorded.metadata.text, '|')) {
        const auto [key, value] = split_once(part, ':');
        if (key.size() == part.size() || trim(key).empty() || ++count > max_keys) continue;
        insert->bind(1, call).bind(2, trim(key)).bind(3, value);
        if (auto done = insert->run(); !done) return done;
    }
    return {};
}

}  // namespace strowger::recorder
