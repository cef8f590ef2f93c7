#include "pbx/dialplan/pattern.hpp"

#include <algorithm>

namespace strowger::dialplan {

namespace {

void add_range(std::bitset<256>& set, unsigned char first, unsigned char last) {
    for (unsigned c = first; c <= last; ++c) set.set(c);
}

// The inside of `[...]`: characters and ranges; `-` at either end stands for itself.
Result<std::bitset<256>> parse_set(std::string_view inside, std::string_view whole) {
    std::bitset<256> set;
    for (std::size_t at = 0; at < inside.size(); ++at) {
        const auto first = static_cast<unsigned char>(inside[at]);
        if (at + 2 < inside.size() && inside[at + 1] == '-') {
            const auto last = static_cast<unsigned char>(inside[at + 2]);
            if (last < first)
                return fail("pattern '{}': the range '{}' runs backwards", whole,
                            inside.substr(at, 3));
            add_range(set, first, last);
            at += 2;
        } else {
            set.set(first);
        }
    }
    if (set.none()) return fail("pattern '{}': an empty set matches nothing", whole);
    return set;
}

}  // namespace

Result<Pattern> Pattern::compile(std::string_view text) {
    if (text.size() > max_pattern)
        return fail("a pattern of {} bytes is longer than {}", text.size(), max_pattern);
    Pattern pattern;
    pattern.text_ = text;
    pattern.literal_ = !text.starts_with('_');
    if (pattern.literal_) return pattern;
    for (std::size_t at = 1; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '-') continue;
        if (!pattern.elements_.empty() && pattern.elements_.back().kind != Element::Kind::set)
            return fail("pattern '{}': nothing can follow '.' or '!'", text);
        Element element;
        switch (c) {
            case 'x':
            case 'X': add_range(element.characters, '0', '9'); break;
            case 'z':
            case 'Z': add_range(element.characters, '1', '9'); break;
            case 'n':
            case 'N': add_range(element.characters, '2', '9'); break;
            case '.': element.kind = Element::Kind::some; break;
            case '!': element.kind = Element::Kind::any; break;
            case '[': {
                const auto close = text.find(']', at);
                if (close == std::string_view::npos)
                    return fail("pattern '{}': '[' has no ']'", text);
                auto set = parse_set(text.substr(at + 1, close - at - 1), text);
                if (!set) return std::unexpected(set.error());
                element.characters = *set;
                at = close;
                break;
            }
            default: element.characters.set(static_cast<unsigned char>(c));
        }
        if (element.kind == Element::Kind::set) {
            element.size = static_cast<unsigned>(element.characters.count());
            while (!element.characters.test(element.first)) ++element.first;
        }
        pattern.elements_.push_back(element);
    }
    return pattern;
}

Pattern::Match Pattern::match(std::string_view digits) const {
    if (literal_) {
        if (digits == text_) return Match::full;
        return std::string_view(text_).starts_with(digits) ? Match::partial : Match::no;
    }
    std::size_t at = 0;
    for (const auto& element : elements_) {
        if (element.kind == Element::Kind::any) return Match::full;
        if (at == digits.size()) return Match::partial;
        if (element.kind == Element::Kind::some) return Match::full;
        if (!element.characters.test(static_cast<unsigned char>(digits[at++]))) return Match::no;
    }
    return at == digits.size() ? Match::full : Match::no;
}

bool Pattern::could_match_longer(std::string_view digits) const {
    switch (match(digits)) {
        case Match::no: return false;
        case Match::partial: return true;
        case Match::full: break;
    }
    // `!` matches at once: there is no waiting for the rest. `.` goes on for ever.
    return !literal_ && !elements_.empty() && elements_.back().kind == Element::Kind::some;
}

std::strong_ordering Pattern::operator<=>(const Pattern& other) const {
    if (literal_ != other.literal_)
        return literal_ ? std::strong_ordering::less : std::strong_ordering::greater;
    if (literal_) return text_ <=> other.text_;
    const auto common = std::min(elements_.size(), other.elements_.size());
    for (std::size_t i = 0; i < common; ++i) {
        const auto& a = elements_[i];
        const auto& b = other.elements_[i];
        if (a.kind != b.kind) return a.kind <=> b.kind;
        if (a.size != b.size) return a.size <=> b.size;
        if (a.first != b.first) return a.first <=> b.first;
        // Sets of one size that begin alike: any fixed order, so that equal means the same set.
        for (unsigned c = a.first; c < 256 && a.kind == Element::Kind::set; ++c)
            if (a.characters[c] != b.characters[c])
                return a.characters[c] ? std::strong_ordering::less : std::strong_ordering::greater;
    }
    // The longer is the more particular one.
    return other.elements_.size() <=> elements_.size();
}

}  // namespace strowger::dialplan
