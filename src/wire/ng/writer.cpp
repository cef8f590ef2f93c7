#include "wire/ng/writer.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "base/utf8.hpp"

namespace strowger::ng {

void Writer::before_value() {
    if (open_.empty()) {
        if (!out_.empty()) throw std::logic_error("NG: a second document");
        return;
    }
    auto& here = open_.back();
    if (here.dictionary) {
        if (!here.has_key) throw std::logic_error("NG: a value without a key");
        here.has_key = false;
    } else if (encoding_ == Encoding::json && !here.empty) {
        out_ += ',';
    }
    here.empty = false;
}

Writer& Writer::dictionary() {
    before_value();
    out_ += encoding_ == Encoding::json ? '{' : 'd';
    open_.push_back({.dictionary = true});
    return *this;
}

Writer& Writer::list() {
    before_value();
    out_ += encoding_ == Encoding::json ? '[' : 'l';
    open_.push_back({.dictionary = false});
    return *this;
}

Writer& Writer::end() {
    if (open_.empty() || open_.back().has_key) throw std::logic_error("NG: nothing to end");
    out_ += encoding_ == Encoding::bencode ? 'e' : open_.back().dictionary ? '}' : ']';
    open_.pop_back();
    return *this;
}

Writer& Writer::key(std::string_view key) {
    if (open_.empty() || !open_.back().dictionary || open_.back().has_key) {
        throw std::logic_error("NG: no place for a key");
    }
    if (encoding_ == Encoding::json && !open_.back().empty) out_ += ',';
    write_string(key);
    if (encoding_ == Encoding::json) out_ += ':';
    open_.back().has_key = true;
    return *this;
}

Writer& Writer::string(std::string_view text) {
    before_value();
    write_string(text);
    return *this;
}

Writer& Writer::integer(std::int64_t value) {
    before_value();
    if (encoding_ == Encoding::bencode) out_ += 'i';
    fmt::format_to(std::back_inserter(out_), "{}", value);
    if (encoding_ == Encoding::bencode) out_ += 'e';
    return *this;
}

void Writer::write_string(std::string_view text) {
    if (encoding_ == Encoding::json) return write_json_string(text);
    fmt::format_to(std::back_inserter(out_), "{}:", text.size());
    out_ += text;
}

void Writer::write_json_string(std::string_view text) {
    out_ += '"';
    while (!text.empty()) {
        const char c = text[0];
        const std::size_t size = utf8_size(text);
        switch (c) {
            case '"': out_ += "\\\""; break;
            case '\\': out_ += "\\\\"; break;
            case '\r': out_ += "\\r"; break;
            case '\n': out_ += "\\n"; break;
            case '\t': out_ += "\\t"; break;
            default: write_character(text.substr(0, std::max<std::size_t>(size, 1)), size > 0);
        }
        text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    out_ += '"';
}

/// One character of UTF-8, or one byte that is taken for Latin-1.
void Writer::write_character(std::string_view bytes, bool utf8) {
    const auto byte = static_cast<unsigned char>(bytes[0]);
    if (byte < 0x20) {
        fmt::format_to(std::back_inserter(out_), "\\u{:04x}", byte);
    } else if (utf8) {
        out_ += bytes;
    } else {
        out_ += static_cast<char>(0xc0 | byte >> 6);
        out_ += static_cast<char>(0x80 | (byte & 0x3f));
    }
}

std::string Writer::take() {
    if (!open_.empty() || out_.empty()) throw std::logic_error("NG: an unfinished document");
    return std::move(out_);
}

}  // namespace strowger::ng
