#include "wire/sip/header_lines.hpp"

#include "wire/sip/syntax.hpp"

namespace strowger::sip {
namespace {

constexpr auto npos = std::string_view::npos;

/// Takes one line off the front, without its CRLF or LF.
std::string_view take_line(std::string_view& text) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == npos ? text.size() : end + 1);
    return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

}  // namespace

RawHeaderLines::RawHeaderLines(std::string_view bytes) : rest_(bytes) {
    while (rest_.starts_with("\r\n")) rest_.remove_prefix(2);
    start_line_ = take_line(rest_);
}

std::optional<Header> RawHeaderLines::next() {
    const char* const begin = rest_.data();
    auto line = take_line(rest_);
    while (!line.empty() && !rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) {
        const auto fold = take_line(rest_);
        line = {begin, static_cast<std::size_t>(fold.data() + fold.size() - begin)};
    }
    const auto colon = line.find(':');
    if (colon == npos) return std::nullopt;
    const auto name = syntax::trim_lws(line.substr(0, colon));
    return Header{header_by_name(name), name, syntax::trim_lws(line.substr(colon + 1))};
}

}  // namespace strowger::sip
