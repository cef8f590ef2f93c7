#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "wire/starless/msgpack.hpp"

/// What the broker's older generation and its provider pages say to each other: on one stream the
/// page tells about itself, on the other the broker calls (msgpack-RPC in the manner of Go's
/// net/rpc).
namespace strowger::starless {

using Digest = std::array<std::uint8_t, 32>;  ///< SHA-256

// On the control stream, from the page.
struct Hello {
    std::string sent;  ///< its clock, an ISO date
};
struct ProviderInfo {
    std::string platform, user_agent, name;
};
struct PoolInfo {
    std::uint32_t most = 0;  ///< workers that it may have
    std::uint32_t pool = 0;  ///< that it has: tasks it runs at once
};
struct Unknown {
    std::string type;
};
using Control = std::variant<Hello, ProviderInfo, PoolInfo, Unknown>;
Result<Control> read_control(const Value& message);

/// Texts that a page says of itself are cut to this.
inline constexpr std::size_t max_said = 256;

struct File {
    std::string name;
    Digest hash{};
    std::uint64_t length = 0;
    std::uint64_t epoch = 0;  ///< when it was made, in milliseconds since 1970
};

struct Run {
    std::string id, binary;
    std::vector<std::string> args;  ///< without the program's name
    std::vector<std::string> envs;
    std::optional<std::string> stdin_bytes;
    std::vector<std::string> load_files;
    std::optional<std::string> data_file;
    bool trace = false;
};

struct TracePoint {
    std::uint64_t microseconds = 0;  ///< since 1970
    std::string label;
};

struct Outcome {
    std::int32_t exit_code = 0;
    std::string stdout_bytes, stderr_bytes;
    std::optional<std::string> data_file;
    std::vector<TracePoint> trace;
};

// Calls: each is a header and a body.
std::vector<std::uint8_t> write_ping(std::uint64_t sequence);
std::vector<std::uint8_t> write_list(std::uint64_t sequence);
std::vector<std::uint8_t> write_probe(std::uint64_t sequence, const File& file);
std::vector<std::uint8_t> write_upload(std::uint64_t sequence, const File& file, Bytes content);
std::vector<std::uint8_t> write_run(std::uint64_t sequence, const Run& run);

// Answers: again a header and a body.
struct AnswerHeader {
    std::string method;
    std::uint64_t sequence = 0;
    std::optional<std::string> error;
};
Result<AnswerHeader> read_answer_header(const Value& header);
Result<std::vector<File>> read_files(const Value& body);
Result<Outcome> read_outcome(const Value& body);

/// Points in time of one run.
inline constexpr std::size_t max_trace = 1000;

}  // namespace strowger::starless
