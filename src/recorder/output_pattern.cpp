#include "recorder/output_pattern.hpp"

#include <fmt/format.h>

#include <ctime>

#include "base/text.hpp"

namespace strowger::recorder {
namespace {

std::string harmless(std::string_view value) {
    std::string text(value.substr(0, max_name_part));
    for (char& c : text)
        if (c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '_';
    return text;
}

std::string of_time(WallTime at, char what) {
    const auto us =
        std::chrono::duration_cast<std::chrono::microseconds>(at.time_since_epoch()).count();
    if (what == 'u') return fmt::format("{:06}", us % 1'000'000);
    const std::time_t time = us / 1'000'000;
    std::tm parts{};
    ::localtime_r(&time, &parts);
    char buffer[16];
    const char format[] = {'%', what, 0};
    return {buffer, std::strftime(buffer, sizeof buffer, format, &parts)};
}

}  // namespace

std::string output_path(std::string_view pattern, const recording::Metadata& call,
                        const OutputName& name) {
    std::string path;
    for (std::size_t i = 0; i < pattern.size() && path.size() < max_output_name; ++i) {
        if (pattern[i] != '%' || i + 1 == pattern.size()) {
            path += pattern[i];
            continue;
        }
        const char c = pattern[++i];
        if (is_digit(c)) {
            auto end = i;
            while (end < pattern.size() && is_digit(pattern[end])) ++end;
            const auto count = parse_number<std::size_t>(pattern.substr(i, end - i));
            path += harmless(std::string_view(call.call_id).substr(0, count.value_or(0)));
            i = end - 1;
        } else if (c == '{') {
            const auto end = pattern.find('}', i);
            if (end == std::string_view::npos) break;
            path += harmless(call.value(pattern.substr(i + 1, end - i - 1)).value_or(""));
            i = end;
        } else if (c == 'c') {
            path += harmless(call.call_id);
        } else if (c == 'r') {
            path += harmless(call.random_tag);
        } else if (c == 't') {
            path += name.kind;
        } else if (c == 'l') {
            path += harmless(name.label);
        } else if (std::string_view("YmdHMSu").contains(c)) {
            path += of_time(name.begun, c);
        } else {
            path += c;
        }
    }
    // A value may be `..`; no part of the path may.
    std::string safe;
    for (auto part : split(path, '/')) {
        if (part.empty() || part == "." || part == "..") continue;
        if (!safe.empty()) safe += '/';
        safe += part.substr(0, max_name_part);
    }
    return safe.empty() ? "recording" : safe;
}

}  // namespace strowger::recorder
