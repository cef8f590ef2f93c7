#include "pbx/prompt.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "base/text.hpp"
#include "io/file.hpp"
#include "pbx/recordings.hpp"

namespace strowger::pbx {

namespace {

constexpr double longest_seconds = 10.0 * 365 * 86400;  // ten years: as good as for ever

std::optional<double> parse_amount(std::string_view text) {
    const std::string copy(trim(text));
    if (copy.empty()) return std::nullopt;
    char* end = nullptr;
    const double value = std::strtod(copy.c_str(), &end);
    if (*end != '\0' || !std::isfinite(value) || value < 0) return std::nullopt;
    return value;
}

// What Record has just made is a prompt too, and not yet known to Sounds.
std::optional<std::string> find_recording(const Core& core, std::string_view name) {
    auto path = recording_path(name, core.recordings);
    if (path && io::file_exists(*path)) return std::move(*path);
    return std::nullopt;
}

}  // namespace

Prompts find_prompts(Channel& channel, std::string_view names, std::string_view language) {
    Prompts prompts;
    for (const auto part : split(names, '&')) {
        const auto name = trim(part);
        if (name.empty()) continue;
        if (prompts.paths.size() >= max_prompts) {
            prompts.complete = false;
            break;
        }
        auto path = channel.core().sounds.find(
            name, language.empty() ? std::string_view(channel.language) : language);
        if (!path) path = find_recording(channel.core(), name);
        if (path) {
            prompts.paths.push_back(std::move(*path));
        } else {
            prompts.complete = false;
            channel.report(
                log::Level::warning,
                fmt::format("there is no sound '{}' (language '{}')", name,
                            language.empty() ? std::string_view(channel.language) : language));
        }
    }
    return prompts;
}

Task<bool> open_media(Channel& channel, bool answer) {
    if (channel.hung_up()) co_return false;
    if (answer) channel.transfer_came_to(200);
    if (channel.is_up()) co_return true;
    auto opened = answer ? channel.answer() : channel.progress();
    const auto result = co_await std::move(opened);
    if (!result && !channel.hung_up()) channel.report(log::Level::warning, result.error().text());
    co_return result.has_value() && !channel.hung_up();
}

Task<std::string> collect_extension(Channel& channel, std::string context, std::string digits) {
    while (!channel.hung_up() &&
           channel.dialplan()->could_match_longer(context, digits, channel.query())) {
        const auto digit = co_await channel.wait_digit(channel.digit_timeout);
        if (!digit) break;
        digits += *digit;
    }
    co_return digits;
}

std::optional<Duration> parse_seconds(std::string_view text) {
    const auto amount = parse_amount(text);
    if (!amount) return std::nullopt;
    return scale(std::chrono::seconds{1}, std::min(*amount, longest_seconds));
}

std::optional<Duration> parse_milliseconds(std::string_view text) {
    const auto amount = parse_amount(text);
    if (!amount) return std::nullopt;
    return scale(std::chrono::milliseconds{1}, std::min(*amount, longest_seconds * 1000));
}

std::string_view argument(const std::vector<std::string>& arguments, std::size_t index) {
    return index < arguments.size() ? std::string_view(arguments[index]) : std::string_view();
}

}  // namespace strowger::pbx
