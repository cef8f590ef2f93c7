#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

/// MessagePack (its specification of 2017), bounded: the library of Debian drags in a version of
/// Boost that excludes the one we use, and does not choose the width of integers.
namespace strowger::starless {

/// What was read; strings and bytes point into what it was read from.
struct Value {
    enum class Kind { nil, boolean, integer, negative, real, text, binary, extension, array, map };
    Kind kind = Kind::nil;
    bool boolean = false;
    std::uint64_t integer = 0;  ///< of `negative`, the two's complement
    double real = 0;
    Bytes bytes;               ///< of text, binary and extension
    std::vector<Value> items;  ///< of an array; of a map, keys and values in turn

    /// A member of a map, by its text key; nullptr without one, or if this is no map.
    const Value* find(std::string_view key) const;
    bool is_nil() const { return kind == Kind::nil; }
    std::optional<std::string_view> text() const;  ///< also of nothing but text
    std::optional<Bytes> binary() const;           ///< of binary or text: peers differ
    /// Any integer that is not negative, and reals without a fraction, as JavaScript writes them.
    std::optional<std::uint64_t> number() const;
};

constexpr std::size_t max_depth = 16;        ///< of nesting: no message here goes beyond four
constexpr std::size_t max_items = 64 << 10;  ///< of one object: listings are the longest

/// One object from the front. Nothing when more bytes are needed: at least `need` in all.
struct Read {
    Value value;
    std::size_t used = 0;
};
Result<std::optional<Read>> read_object(Bytes bytes, std::size_t& need);

/// Collects what a stream brings until an object is whole.
class ObjectStream {
public:
    /// `max_object`: bytes of the longest.
    explicit ObjectStream(std::size_t max_object) : max_object_(max_object) {}

    void feed(Bytes bytes);
    /// The next whole object, valid until the next `feed`; nothing when more must come.
    Result<std::optional<Value>> next();

private:
    std::size_t max_object_;
    std::vector<std::uint8_t> buffer_;
    std::size_t taken_ = 0;  // of the front, by objects that were given
    std::size_t need_ = 1;   // bytes after these, before it is worth while to look again
};

/// Writes objects, one after the other. Integers come in the shortest form of at most 32 bits, or,
/// where a peer tells the two apart, in that of 64.
class Writer {
public:
    Writer& nil();
    Writer& boolean(bool value);
    Writer& integer(std::uint64_t value);    ///< above 32 bits, that of 64
    Writer& integer64(std::uint64_t value);  ///< nine bytes, whatever the value
    Writer& text(std::string_view text);
    Writer& binary(Bytes bytes);
    Writer& array(std::size_t items);
    Writer& map(std::size_t pairs);
    std::vector<std::uint8_t> take() { return std::exchange(out_, {}); }

private:
    void head(std::uint8_t mark, std::uint64_t value, std::size_t width);
    std::vector<std::uint8_t> out_;
};

}  // namespace strowger::starless
