#include "broker/byte_range.hpp"

#include <algorithm>
#include <optional>

#include "base/text.hpp"

namespace strowger::broker {

namespace {

struct Range {
    std::size_t first, last;
    bool satisfiable;
};

// RFC 9110 section 14.1.2: "bytes=0-99", "bytes=100-", "bytes=-50".
std::optional<Range> parse(std::string_view field, std::size_t size) {
    if (!istarts_with(field, "bytes=")) return std::nullopt;
    field.remove_prefix(6);
    if (field.find('-') == std::string_view::npos) return std::nullopt;
    const auto [from, to] = split_once(trim(field), '-');
    const auto first = parse_number<std::size_t>(from), last = parse_number<std::size_t>(to);
    if (from.empty()) {
        if (!last) return std::nullopt;
        const auto length = std::min(*last, size);
        return Range{size - length, size - 1, length > 0};
    }
    if (!first || (!to.empty() && !last) || (last && *last < *first)) return std::nullopt;
    return Range{*first, std::min(last.value_or(size), size - 1), *first < size};
}

}  // namespace

io::HttpResponse part_of(std::string_view content, std::string_view range_field) {
    io::HttpResponse response;
    response.headers.add("Accept-Ranges", "bytes");
    const auto range = parse(range_field, content.size());
    if (!range) {
        response.body = content;
    } else if (!range->satisfiable) {
        response.status = 416;
        response.headers.add("Content-Range", fmt::format("bytes */{}", content.size()));
    } else {
        response.status = 206;
        response.headers.add("Content-Range", fmt::format("bytes {}-{}/{}", range->first,
                                                          range->last, content.size()));
        response.body = content.substr(range->first, range->last - range->first + 1);
    }
    return response;
}

}  // namespace strowger::broker
