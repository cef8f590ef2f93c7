#include "wire/starless/msgpack.hpp"

#include <bit>
#include <cmath>

namespace strowger::starless {

namespace {

using Kind = Value::Kind;

class Reader {
public:
    explicit Reader(Bytes bytes) : bytes_(bytes) {}

    // False when bytes are missing.
    Result<bool> value(Value& out, std::size_t depth) {
        if (depth > max_depth) return fail("objects nest deeper than {}", max_depth);
        if (++items_ > max_items) return fail("an object of more than {} items", max_items);
        if (!has(1)) return false;
        const auto mark = bytes_[at_++];
        if (mark <= 0x7f) return integer(out, mark);
        if (mark >= 0xe0) return negative(out, static_cast<std::int8_t>(mark));
        if (mark <= 0x8f) return items(out, Kind::map, std::size_t{2} * (mark & 0x0f), depth);
        if (mark <= 0x9f) return items(out, Kind::array, mark & 0x0f, depth);
        if (mark <= 0xbf) return run(out, Kind::text, mark & 0x1f);
        switch (mark) {
            case 0xc0: return true;
            case 0xc2:
            case 0xc3:
                out.kind = Kind::boolean;
                out.boolean = mark == 0xc3;
                return true;
            case 0xc4:
            case 0xc5:
            case 0xc6: return counted_run(out, Kind::binary, std::size_t{1} << (mark - 0xc4), 0);
            case 0xc7:
            case 0xc8:
            case 0xc9: return counted_run(out, Kind::extension, std::size_t{1} << (mark - 0xc7), 1);
            case 0xca:
            case 0xcb: return real(out, mark == 0xca ? 4 : 8);
            case 0xcc:
            case 0xcd:
            case 0xce:
            case 0xcf: {
                const auto read = number(std::size_t{1} << (mark - 0xcc));
                return read ? integer(out, *read) : false;
            }
            case 0xd0:
            case 0xd1:
            case 0xd2:
            case 0xd3: {
                const auto width = std::size_t{1} << (mark - 0xd0);
                const auto read = number(width);
                if (!read) return false;
                const auto shift = 64 - 8 * width;
                return negative(out, static_cast<std::int64_t>(*read << shift) >> shift);
            }
            case 0xd4:
            case 0xd5:
            case 0xd6:
            case 0xd7:
            case 0xd8: return run(out, Kind::extension, 1 + (std::size_t{1} << (mark - 0xd4)));
            case 0xd9:
            case 0xda:
            case 0xdb: return counted_run(out, Kind::text, std::size_t{1} << (mark - 0xd9), 0);
            case 0xdc:
            case 0xdd: return counted_items(out, Kind::array, mark == 0xdc ? 2 : 4, 1, depth);
            case 0xde:
            case 0xdf: return counted_items(out, Kind::map, mark == 0xde ? 2 : 4, 2, depth);
            default: return fail("0xc1, which MessagePack never uses");
        }
    }

    std::size_t at() const { return at_; }
    std::size_t need() const { return need_; }

private:
    bool has(std::size_t count) {
        if (bytes_.size() - at_ >= count) return true;
        need_ = at_ + count;
        return false;
    }

    std::optional<std::uint64_t> number(std::size_t width) {
        if (!has(width)) return std::nullopt;
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < width; ++i) value = value << 8 | bytes_[at_++];
        return value;
    }

    static bool integer(Value& out, std::uint64_t value) {
        out.kind = Kind::integer;
        out.integer = value;
        return true;
    }

    static bool negative(Value& out, std::int64_t value) {
        out.kind = value < 0 ? Kind::negative : Kind::integer;
        out.integer = static_cast<std::uint64_t>(value);
        return true;
    }

    bool real(Value& out, std::size_t width) {
        const auto read = number(width);
        if (!read) return false;
        out.kind = Kind::real;
        out.real = width == 4 ? std::bit_cast<float>(static_cast<std::uint32_t>(*read))
                              : std::bit_cast<double>(*read);
        return true;
    }

    bool run(Value& out, Kind kind, std::size_t length) {
        if (!has(length)) return false;
        out.kind = kind;
        out.bytes = bytes_.subspan(at_, length);
        at_ += length;
        return true;
    }

    bool counted_run(Value& out, Kind kind, std::size_t width, std::size_t more) {
        const auto length = number(width);
        return length && run(out, kind, *length + more);
    }

    Result<bool> counted_items(Value& out, Kind kind, std::size_t width, std::size_t each,
                               std::size_t depth) {
        const auto count = number(width);
        if (!count) return false;
        return items(out, kind, *count * each, depth);
    }

    Result<bool> items(Value& out, Kind kind, std::size_t count, std::size_t depth) {
        if (count > max_items - items_) return fail("an object of more than {} items", max_items);
        out.kind = kind;
        for (std::size_t i = 0; i < count; ++i) {
            auto complete = value(out.items.emplace_back(), depth + 1);
            if (!complete || !*complete) return complete;
        }
        return true;
    }

    Bytes bytes_;
    std::size_t at_ = 0, need_ = 0, items_ = 0;
};

}  // namespace

const Value* Value::find(std::string_view key) const {
    if (kind != Kind::map) return nullptr;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
        if (items[i].text() == key) return &items[i + 1];
    return nullptr;
}

std::optional<std::string_view> Value::text() const {
    if (kind != Kind::text) return std::nullopt;
    return as_text(bytes);
}

std::optional<Bytes> Value::binary() const {
    if (kind != Kind::text && kind != Kind::binary) return std::nullopt;
    return bytes;
}

std::optional<std::uint64_t> Value::number() const {
    if (kind == Kind::integer) return integer;
    constexpr double largest = 9007199254740992.0;  // 2^53: beyond it reals skip integers
    if (kind == Kind::real && real >= 0 && real <= largest && std::trunc(real) == real)
        return static_cast<std::uint64_t>(real);
    return std::nullopt;
}

Result<std::optional<Read>> read_object(Bytes bytes, std::size_t& need) {
    Reader reader(bytes);
    Read read;
    const auto complete = reader.value(read.value, 0);
    if (!complete) return std::unexpected(complete.error());
    if (!*complete) {
        need = reader.need();
        return std::nullopt;
    }
    read.used = reader.at();
    return read;
}

void ObjectStream::feed(Bytes bytes) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Value>> ObjectStream::next() {
    const auto left = Bytes(buffer_).subspan(taken_);
    if (left.size() < need_) return std::nullopt;
    auto read = read_object(left, need_);
    if (!read) return std::unexpected(read.error());
    if (!*read) {
        if (need_ > max_object_)
            return fail("an object of {} bytes or more; at most {}", need_, max_object_);
        return std::nullopt;
    }
    taken_ += (*read)->used;
    need_ = 1;
    return std::move((*read)->value);
}

void Writer::head(std::uint8_t mark, std::uint64_t value, std::size_t width) {
    out_.push_back(mark);
    for (std::size_t i = width; i-- > 0;) out_.push_back(static_cast<std::uint8_t>(value >> 8 * i));
}

Writer& Writer::nil() {
    out_.push_back(0xc0);
    return *this;
}

Writer& Writer::boolean(bool value) {
    out_.push_back(value ? 0xc3 : 0xc2);
    return *this;
}

Writer& Writer::integer(std::uint64_t value) {
    if (value <= 0x7f)
        out_.push_back(static_cast<std::uint8_t>(value));
    else if (value <= 0xff)
        head(0xcc, value, 1);
    else if (value <= 0xffff)
        head(0xcd, value, 2);
    else if (value <= 0xffffffff)
        head(0xce, value, 4);
    else
        integer64(value);
    return *this;
}

Writer& Writer::integer64(std::uint64_t value) {
    head(0xcf, value, 8);
    return *this;
}

Writer& Writer::text(std::string_view text) {
    const auto length = text.size();
    if (length <= 31)
        out_.push_back(static_cast<std::uint8_t>(0xa0 | length));
    else if (length <= 0xff)
        head(0xd9, length, 1);
    else if (length <= 0xffff)
        head(0xda, length, 2);
    else
        head(0xdb, length, 4);
    out_.insert(out_.end(), text.begin(), text.end());
    return *this;
}

Writer& Writer::binary(Bytes bytes) {
    const auto length = bytes.size();
    if (length <= 0xff)
        head(0xc4, length, 1);
    else if (length <= 0xffff)
        head(0xc5, length, 2);
    else
        head(0xc6, length, 4);
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
}

Writer& Writer::array(std::size_t items) {
    if (items <= 15)
        out_.push_back(static_cast<std::uint8_t>(0x90 | items));
    else if (items <= 0xffff)
        head(0xdc, items, 2);
    else
        head(0xdd, items, 4);
    return *this;
}

Writer& Writer::map(std::size_t pairs) {
    if (pairs <= 15)
        out_.push_back(static_cast<std::uint8_t>(0x80 | pairs));
    else
        head(0xde, pairs, 2);
    return *this;
}

}  // namespace strowger::starless
