#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

/// Reads databases of Bolt and bbolt (file format version 2): pages of a B+ tree of buckets, each
/// of which holds keys and values or further buckets. Their numbers are in the byte order of who
/// wrote them; here that is the little one, of every machine that Bolt is commonly used on.
namespace strowger::bolt {

constexpr std::size_t max_depth = 64;         ///< pages from the root to a key, buckets in buckets
constexpr std::size_t max_page = 2UL << 30U;  ///< bytes, with what overflows from it

/// Fills `out` from an offset of the file; how many bytes there were.
using ReadAt = std::function<Result<std::size_t>(std::uint64_t offset, MutableBytes out)>;
/// What it gets is valid during the call.
using Visit = std::function<void(std::string_view key, std::string_view value)>;

/// Visits all pairs of all buckets, of the last transaction that was written whole. `size`: bytes
/// of the file. An error says what is wrong and on which page; what was visited before it was
/// right.
Result<> read(std::uint64_t size, const ReadAt& read_at, const Visit& visit);

}  // namespace strowger::bolt
