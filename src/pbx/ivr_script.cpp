#include "pbx/ivr_script.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace strowger::pbx {

bool IvrReader::feed(Bytes bytes) {
    for (const auto byte : bytes) {
        if (broken_) return false;
        if (byte != '\n') {
            line_ += static_cast<char>(byte);
            broken_ = line_.size() > max_line;
            continue;
        }
        const auto text = trim(line_);
        if (!text.empty()) {
            const auto [letter, data] = split_once(text, ',');
            const auto name = trim(letter);
            // What is longer than a letter is no command of ours: taken as an unknown one.
            commands_.push_back({name.size() == 1 ? name.front() : '?', std::string(data)});
            broken_ = commands_.size() > max_waiting;
        }
        line_.clear();
    }
    return !broken_;
}

std::optional<IvrCommand> IvrReader::next() {
    if (commands_.empty()) return std::nullopt;
    auto command = std::move(commands_.front());
    commands_.pop_front();
    return command;
}

std::string ivr_event(std::string_view tag, WallTime now, std::string_view data) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    auto text = fmt::format("{},{:010}", tag, seconds);
    if (!data.empty()) (text += ',') += data;
    std::ranges::replace(text, '\n', ' ');
    std::ranges::replace(text, '\r', ' ');
    return text + '\n';
}

std::optional<IvrTarget> parse_ivr_target(std::string_view text) {
    static constexpr std::string_view scheme = "ivr://";
    text = trim(text);
    IvrTarget target;
    if (const auto open = text.find('('); open != std::string_view::npos && text.ends_with(')')) {
        for (const auto argument : split(text.substr(open + 1, text.size() - open - 2), ','))
            target.arguments.emplace_back(trim(argument));
        text = trim(text.substr(0, open));
    }
    if (text.empty()) return std::nullopt;
    target.name = text;
    target.is_server = text.starts_with(scheme);
    if (!target.is_server) return target;
    auto where = text.substr(scheme.size());
    const auto colon = where.rfind(':');
    const auto bracket = where.rfind(']');
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
        const auto port = parse_number<std::uint16_t>(where.substr(colon + 1));
        if (!port || *port == 0) return std::nullopt;
        target.port = *port;
        where = where.substr(0, colon);
    }
    if (where.starts_with('[') && where.ends_with(']')) where = where.substr(1, where.size() - 2);
    if (where.empty()) return std::nullopt;
    target.host = where;
    return target;
}

}  // namespace strowger::pbx
