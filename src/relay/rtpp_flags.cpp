#include "relay/rtpp_flags.hpp"

#include <utility>
#include <vector>

#include "base/text.hpp"
#include "wire/ng/writer.hpp"

namespace strowger::relay {
namespace {

/// One `word`, `key=value`, `key=[…]` or `[…]`.
struct Item {
    std::string_view key;    ///< empty: a value by itself
    std::string_view value;  ///< what stands in the brackets, if `bracketed`
    bool bracketed = false;
};

Result<std::vector<Item>> items_of(std::string_view text) {
    std::vector<Item> items;
    std::size_t at = 0;
    while (at < text.size()) {
        if (is_space(text[at])) {
            ++at;
            continue;
        }
        Item item;
        const std::size_t word = at;
        while (at < text.size() && !is_space(text[at]) && text[at] != '=' && text[at] != '[') ++at;
        item.value = text.substr(word, at - word);
        if (at < text.size() && text[at] == '=') {
            item.key = item.value;
            if (item.key.empty())
                return fail("rtpp_flags: '=' at byte {} has no key before it", at);
            const std::size_t value = ++at;
            while (at < text.size() && !is_space(text[at]) && (at > value || text[at] != '[')) ++at;
            item.value = text.substr(value, at - value);
        }
        if (at < text.size() && text[at] == '[' && item.value.empty()) {
            const std::size_t open = ++at;
            std::size_t depth = 1;
            for (; at < text.size() && depth > 0; ++at) {
                if (text[at] == '[') ++depth;
                if (text[at] == ']') --depth;
            }
            if (depth > 0) return fail("rtpp_flags: '[' at byte {} is not closed", open - 1);
            item.value = text.substr(open, at - 1 - open);
            item.bracketed = true;
        } else if (at == word) {
            return fail("rtpp_flags: unexpected '{}' at byte {}", text[at], at);
        }
        items.push_back(item);
    }
    return items;
}

std::string unescaped(std::string_view value) {
    std::string result;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const auto pair = value.substr(i, 2);
        if (pair == "--" || pair == "..") {
            result += pair == "--" ? '=' : ' ';
            ++i;
        } else {
            result += value[i];
        }
    }
    return result;
}

Result<> write_value(const Item& item, ng::Writer& writer, std::size_t depth);

// `[…]` with a `key=` in it is a dictionary, else a list.
Result<> write_bracketed(std::string_view text, ng::Writer& writer, std::size_t depth) {
    if (depth > max_flags_depth)
        return fail("rtpp_flags: brackets nest deeper than {}", max_flags_depth);
    const auto items = items_of(text);
    if (!items) return std::unexpected(items.error());
    bool dictionary = false;
    for (const Item& item : *items) dictionary |= !item.key.empty();
    if (dictionary)
        writer.dictionary();
    else
        writer.list();
    for (const Item& item : *items) {
        if (dictionary) writer.key(item.key.empty() ? item.value : item.key);
        if (const auto written = write_value(item, writer, depth); !written) return written;
    }
    writer.end();
    return {};
}

Result<> write_value(const Item& item, ng::Writer& writer, std::size_t depth) {
    if (item.bracketed) return write_bracketed(item.value, writer, depth + 1);
    writer.string(unescaped(item.value));
    return {};
}

}  // namespace

Result<std::string> flags_document(std::string_view text) {
    if (text.size() > max_flags_size)
        return fail("rtpp_flags: {} bytes, at most {} are taken", text.size(), max_flags_size);
    const auto items = items_of(text);
    if (!items) return std::unexpected(items.error());
    ng::Writer writer(ng::Encoding::bencode);
    writer.dictionary();
    for (const Item& item : *items) {
        if (item.key.empty()) continue;
        writer.key(item.key);
        if (const auto written = write_value(item, writer, 0); !written)
            return std::unexpected(written.error());
    }
    writer.key("flags").list();
    for (const Item& item : *items)
        if (item.key.empty() && !item.bracketed) writer.string(item.value);
    writer.end().end();
    return writer.take();
}

}  // namespace strowger::relay
