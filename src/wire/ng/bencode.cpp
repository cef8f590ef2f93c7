#include <charconv>

#include "base/text.hpp"
#include "wire/ng/document_builder.hpp"

namespace strowger::ng {

namespace {

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text), builder_(text, Encoding::bencode) {}

    Result<Document> run() {
        do {
            if (auto parsed = one(); !parsed) return std::unexpected(parsed.error());
        } while (builder_.depth() > 0);
        if (!trim(text_.substr(at_)).empty()) {
            return fail("bencode at byte {}: more than one document", at_);
        }
        return builder_.take();
    }

private:
    /// One string or integer, or the beginning or end of a container.
    Result<> one() {
        if (at_ >= text_.size()) return fail("bencode at byte {}: the end is missing", at_);
        const char c = text_[at_];
        if (c == 'e' && !dictionaries_.empty()) return end();
        // Keys and values take turns in a dictionary.
        if (!dictionaries_.empty() && dictionaries_.back().is_dictionary) {
            auto& here = dictionaries_.back();
            if (here.wants_key && !is_digit(c)) {
                return fail("bencode at byte {}: a key is a string, not '{}'", at_, c);
            }
            here.wants_key = !here.wants_key;
        }
        if (is_digit(c)) return string();
        if (c == 'i') return integer();
        if (c == 'd' || c == 'l') return begin(c == 'd');
        return fail("bencode at byte {}: '{}' begins no value", at_, c);
    }

    Result<> begin(bool dictionary) {
        if (!builder_.open(dictionary ? Kind::dictionary : Kind::list)) return too_large();
        dictionaries_.push_back({dictionary, true});
        ++at_;
        return {};
    }

    Result<> end() {
        if (dictionaries_.back().is_dictionary && !dictionaries_.back().wants_key) {
            return fail("bencode at byte {}: a key without a value", at_);
        }
        dictionaries_.pop_back();
        builder_.close();
        ++at_;
        return {};
    }

    Result<> string() {
        std::size_t size = 0;
        const char* const end = text_.data() + text_.size();
        const auto [colon, error] = std::from_chars(text_.data() + at_, end, size);
        if (error != std::errc{} || colon == end || *colon != ':') {
            return fail("bencode at byte {}: the length of a string ends with a colon", at_);
        }
        const auto begin = static_cast<std::size_t>(colon + 1 - text_.data());
        if (size > text_.size() - begin) {
            return fail("bencode at byte {}: a string of {} bytes, but {} follow", at_, size,
                        text_.size() - begin);
        }
        if (!builder_.string(begin, size)) return too_large();
        at_ = begin + size;
        return {};
    }

    Result<> integer() {
        std::int64_t value = 0;
        const char* const end = text_.data() + text_.size();
        const auto [last, error] = std::from_chars(text_.data() + at_ + 1, end, value);
        if (error != std::errc{} || last == end || *last != 'e') {
            return fail("bencode at byte {}: not an integer of 64 bits", at_);
        }
        const auto size = static_cast<std::size_t>(last - text_.data()) - at_ - 1;
        if (!builder_.integer(value, at_ + 1, size)) return too_large();
        at_ += size + 2;
        return {};
    }

    std::unexpected<Error> too_large() const {
        return fail("bencode at byte {}: more than {} values or {} levels", at_, max_values,
                    max_depth);
    }

    struct Container {
        bool is_dictionary;
        bool wants_key;
    };

    std::string_view text_;
    std::size_t at_ = 0;
    DocumentBuilder builder_;
    std::vector<Container> dictionaries_;
};

}  // namespace

Result<Document> parse_bencode(std::string_view text) { return Parser(text).run(); }

}  // namespace strowger::ng
