#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wire/ng/document.hpp"

namespace strowger::ng {

/// Writes a document piece by piece, in the encoding of the request that it answers:
///
///     Writer(encoding).dictionary().pair("result", "ok").key("tags").list()….end().end().take()
///
/// What is begun must be ended, and in a dictionary each value follows its key; a caller that does
/// otherwise gets a std::logic_error.
class Writer {
public:
    explicit Writer(Encoding encoding) : encoding_(encoding) {}

    Writer& dictionary();
    Writer& list();
    Writer& end();
    Writer& key(std::string_view key);
    Writer& string(std::string_view text);  ///< any bytes; in JSON those that are no UTF-8 become
                                            ///< the characters of Latin-1
    Writer& integer(std::int64_t value);

    Writer& pair(std::string_view name, std::string_view text) { return key(name).string(text); }
    Writer& pair(std::string_view name, std::integral auto value) {
        return key(name).integer(static_cast<std::int64_t>(value));
    }

    std::string take();

private:
    struct Open {
        bool dictionary;
        bool empty = true;
        bool has_key = false;
    };

    void before_value();
    void write_string(std::string_view text);
    void write_json_string(std::string_view text);
    void write_character(std::string_view bytes, bool utf8);

    Encoding encoding_;
    std::string out_;
    std::vector<Open> open_;
};

}  // namespace strowger::ng
