#include "wire/sip/sdp_body.hpp"

#include <string>

#include "base/text.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::sip {
namespace {

constexpr std::size_t max_parts = 16;  // of a multipart body; nobody sends more than three

std::string_view media_type(std::string_view content_type) {
    return trim(content_type.substr(0, content_type.find(';')));
}

/// RFC 2046 section 5.1.1.
std::string_view sdp_part(std::string_view body, std::string_view boundary) {
    const auto delimiter = "--" + std::string(boundary);
    auto at = body.find(delimiter);
    for (std::size_t count = 0; at != std::string_view::npos && count < max_parts; ++count) {
        const auto start = body.find("\r\n", at + delimiter.size());
        if (start == std::string_view::npos) return {};
        at = body.find(delimiter, start);
        const auto part = body.substr(start, at == std::string_view::npos ? at : at - start);
        const auto head_end = part.find("\r\n\r\n");
        if (head_end == std::string_view::npos) continue;
        auto lines = part.substr(0, head_end + 2);
        while (!lines.empty()) {
            const auto [line, rest] = split_once(lines, '\n');
            const auto [name, value] = split_once(line, ':');
            if (iequals(trim(name), "Content-Type") &&
                iequals(media_type(trim(value)), "application/sdp")) {
                auto content = part.substr(head_end + 4);
                // The line break before a delimiter belongs to the delimiter.
                if (at != std::string_view::npos && content.ends_with("\r\n")) {
                    content.remove_suffix(2);
                }
                return content;
            }
            lines = rest;
        }
    }
    return {};
}

}  // namespace

std::string_view sdp_body(const Message& message) {
    if (message.body().empty()) return {};
    const auto content_type = message.header(HeaderId::content_type);
    if (!content_type) return {};
    const auto type = media_type(*content_type);
    if (iequals(type, "application/sdp")) return message.body();
    if (!istarts_with(type, "multipart/")) return {};
    const auto semicolon = content_type->find(';');
    if (semicolon == std::string_view::npos) return {};
    const auto boundary = find_parameter(content_type->substr(semicolon), "boundary");
    return boundary && !boundary->empty() ? sdp_part(message.body(), *boundary)
                                          : std::string_view{};
}

bool has_foreign_body(const Message& message) {
    return !message.body().empty() && sdp_body(message).empty();
}

}  // namespace strowger::sip
