#include <charconv>

#include "base/text.hpp"
#include "wire/ng/document_builder.hpp"

namespace strowger::ng {

namespace {

void append_utf8(std::string& text, std::uint32_t c) {
    const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
    if (c < 0x80) {
        put(c);
    } else if (c < 0x800) {
        put(0xc0 | c >> 6);
        put(0x80 | (c & 63));
    } else if (c < 0x10000) {
        put(0xe0 | c >> 12);
        put(0x80 | (c >> 6 & 63));
        put(0x80 | (c & 63));
    } else {
        put(0xf0 | c >> 18);
        put(0x80 | (c >> 12 & 63));
        put(0x80 | (c >> 6 & 63));
        put(0x80 | (c & 63));
    }
}

/// RFC 8259, by recursion that `max_depth` bounds. Strings may hold any bytes, as SDP does.
class Parser {
public:
    explicit Parser(std::string_view text) : text_(text), builder_(text, Encoding::json) {}

    Result<Document> run() {
        if (auto parsed = value(); !parsed) return std::unexpected(parsed.error());
        skip_blanks();
        if (at_ != text_.size()) return wrong("more than one document");
        return builder_.take();
    }

private:
    Result<> value() {
        skip_blanks();
        switch (next()) {
            case '{': return container(Kind::dictionary, '}');
            case '[': return container(Kind::list, ']');
            case '"': return string();
            case 't': return word("true", 1);
            case 'f': return word("false", 0);
            case 'n': return word("null", std::nullopt);
            default: return number();
        }
    }

    Result<> container(Kind kind, char closing) {
        if (!builder_.open(kind)) return too_large();
        ++at_;
        skip_blanks();
        if (next() == closing) return closed();
        for (;;) {
            if (kind == Kind::dictionary) {
                if (auto parsed = key(); !parsed) return parsed;
            }
            if (auto parsed = value(); !parsed) return parsed;
            skip_blanks();
            if (next() == closing) return closed();
            if (next() != ',') return wrong("a comma or the end of the list is missing");
            ++at_;
            skip_blanks();
        }
    }

    Result<> closed() {
        builder_.close();
        ++at_;
        return {};
    }

    Result<> key() {
        if (next() != '"') return wrong("a key is a string");
        if (auto parsed = string(); !parsed) return parsed;
        skip_blanks();
        if (next() != ':') return wrong("a colon is missing");
        ++at_;
        return {};
    }

    Result<> string() {
        const std::size_t begin = ++at_;
        const auto stop = text_.find_first_of("\"\\", begin);
        if (stop == std::string_view::npos) return wrong("a string without an end");
        if (text_[stop] == '"') {
            at_ = stop + 1;
            if (!builder_.string(begin, stop - begin)) return too_large();
            return {};
        }
        return string_with_escapes(begin);
    }

    Result<> string_with_escapes(std::size_t begin) {
        auto& out = builder_.escaped_text();
        const std::size_t first = out.size();
        for (std::size_t from = begin;;) {
            const auto stop = text_.find_first_of("\"\\", from);
            if (stop == std::string_view::npos) return wrong("a string without an end");
            out += text_.substr(from, stop - from);
            at_ = stop + 1;
            if (text_[stop] == '"') break;
            if (auto parsed = escape(out); !parsed) return parsed;
            from = at_;
        }
        if (!builder_.unescaped(first)) return too_large();
        return {};
    }

    Result<> escape(std::string& out) {
        constexpr std::string_view letters = "\"\\/bfnrt";
        constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
        if (next() == 'u') return unicode(out);
        const auto which = letters.find(next());
        if (at_ >= text_.size() || which == std::string_view::npos) {
            return wrong("unknown escape in a string");
        }
        out += meanings[which];
        ++at_;
        return {};
    }

    Result<> unicode(std::string& out) {
        auto unit = code_unit();
        if (!unit) return wrong("\\u without four hexadecimal digits");
        std::uint32_t c = *unit;
        if (c >= 0xd800 && c < 0xdc00) {  // the first half of a pair
            const auto second = next() == '\\' ? (++at_, code_unit()) : std::nullopt;
            if (!second || *second < 0xdc00 || *second > 0xdfff) {
                return wrong("half of a surrogate pair");
            }
            c = 0x10000 + ((c - 0xd800) << 10) + (*second - 0xdc00);
        } else if (c >= 0xdc00 && c < 0xe000) {
            return wrong("half of a surrogate pair");
        }
        append_utf8(out, c);
        return {};
    }

    std::optional<std::uint32_t> code_unit() {
        if (next() != 'u' || text_.size() - at_ < 5) return std::nullopt;
        std::uint32_t unit = 0;
        const char* const digits = text_.data() + at_ + 1;
        const auto [last, error] = std::from_chars(digits, digits + 4, unit, 16);
        if (error != std::errc{} || last != digits + 4) return std::nullopt;
        at_ += 5;
        return unit;
    }

    Result<> word(std::string_view expected, std::optional<std::int64_t> meaning) {
        if (!text_.substr(at_).starts_with(expected)) return wrong("not a value");
        const bool added =
            meaning ? builder_.integer(*meaning, at_, expected.size()) : builder_.string(at_, 0);
        if (!added) return too_large();
        at_ += expected.size();
        return {};
    }

    Result<> number() {
        const auto size =
            std::min(text_.find_first_not_of("0123456789+-.eE", at_), text_.size()) - at_;
        const auto digits = text_.substr(at_, size);
        const auto unsigned_part = digits.substr(digits.starts_with('-') ? 1 : 0);
        if (unsigned_part.empty() || !is_digit(unsigned_part[0])) return wrong("not a value");
        const auto value = parse_number<std::int64_t>(digits);
        const bool added = value ? builder_.integer(*value, at_, size) : builder_.string(at_, size);
        if (!added) return too_large();
        at_ += size;
        return {};
    }

    char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void skip_blanks() {
        while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    }
    std::unexpected<Error> wrong(std::string_view what) const {
        return fail("JSON at byte {}: {}", at_, what);
    }
    std::unexpected<Error> too_large() const {
        return fail("JSON at byte {}: more than {} values or {} levels", at_, max_values,
                    max_depth);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    DocumentBuilder builder_;
};

}  // namespace

Result<Document> parse_json(std::string_view text) { return Parser(text).run(); }

}  // namespace strowger::ng
