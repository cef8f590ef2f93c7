#include "pbx/call_file.hpp"

#include "base/text.hpp"

namespace strowger::pbx {

namespace {

// Up to a comment: '#' at the beginning or behind a blank, ';' anywhere unless escaped.
std::string without_comment(std::string_view line) {
    std::string text;
    for (std::size_t at = 0; at < line.size(); ++at) {
        const char c = line[at];
        if (c == '\\' && at + 1 < line.size() && line[at + 1] == ';') {
            text += line[++at];
            continue;
        }
        if (c == ';') break;
        if (c == '#' && (at == 0 || is_space(line[at - 1]))) break;
        text += c;
    }
    return text;
}

// "Name" <number>, Name <number>, or a number alone.
void take_caller(CallFile& file, std::string_view value) {
    const auto open = value.rfind('<');
    if (open == std::string_view::npos) {
        file.caller_number = trim(value);
        return;
    }
    auto name = trim(value.substr(0, open));
    if (name.size() >= 2 && name.front() == '"' && name.back() == '"')
        name = name.substr(1, name.size() - 2);
    file.caller_name = name;
    file.caller_number = trim(split_once(value.substr(open + 1), '>').first);
}

Result<Duration> seconds_of(std::string_view value, unsigned least) {
    static constexpr unsigned longest = 10 * 365 * 86'400u;
    const auto number = parse_number<unsigned>(value);
    if (!number || *number < least || *number > longest)
        return fail("expected seconds from {} on, got '{}'", least, value);
    return std::chrono::seconds{*number};
}

Result<> take(CallFile& file, std::string_view key, std::string_view value) {
    const auto set = [&](Duration& member, unsigned least) -> Result<> {
        const auto read = seconds_of(value, least);
        if (!read) return std::unexpected(read.error());
        member = *read;
        return {};
    };
    if (iequals(key, "channel")) {
        file.channel = value;
    } else if (iequals(key, "application")) {
        file.application = value;
    } else if (iequals(key, "data")) {
        file.data = value;
    } else if (iequals(key, "context")) {
        file.context = value;
    } else if (iequals(key, "extension")) {
        file.extension = value;
    } else if (iequals(key, "priority")) {
        const auto number = parse_number<int>(value);
        if (!number || *number < 1) return fail("expected a priority, got '{}'", value);
        file.priority = *number;
    } else if (iequals(key, "callerid")) {
        take_caller(file, value);
    } else if (iequals(key, "account")) {
        file.account = value;
    } else if (iequals(key, "set") || iequals(key, "setvar")) {
        const auto [name, text] = split_once(value, '=');
        if (file.variables.size() >= CallFile::max_variables)
            return fail("there are at most {} variables", CallFile::max_variables);
        if (!trim(name).empty()) file.variables.emplace_back(trim(name), text);
    } else if (iequals(key, "maxretries")) {
        const auto number = parse_number<unsigned>(value);
        if (!number) return fail("expected a number of retries, got '{}'", value);
        file.max_retries = *number;
    } else if (iequals(key, "retrytime")) {
        return set(file.retry_time, 1);
    } else if (iequals(key, "waittime")) {
        return set(file.wait_time, 1);
    } else if (iequals(key, "archive")) {
        file.archive = is_true(value);
    } else if (iequals(key, "alwaysdelete")) {
        file.always_delete = is_true(value);
    } else if (iequals(key, "startretry")) {
        ++file.attempts;
    }
    return {};
}

}  // namespace

Result<CallFile> CallFile::parse(std::string_view text) {
    CallFile file;
    unsigned number = 0;
    for (const auto raw : split(text, '\n')) {
        ++number;
        const auto line = without_comment(raw);
        if (trim(line).empty()) continue;
        const auto colon = line.find(':');
        if (colon == std::string::npos)
            return fail("line {}: expected 'Key: value', got '{}'", number, trim(line));
        const auto key = trim(std::string_view(line).substr(0, colon));
        const auto done = take(file, key, trim(std::string_view(line).substr(colon + 1)));
        if (!done) return fail("line {}: {}: {}", number, key, done.error().text());
    }
    if (file.channel.find('/') == std::string::npos)
        return fail("expected Channel: Technology/resource, got '{}'", file.channel);
    if (file.application.empty() && file.context.empty())
        return fail("expected an Application or a Context");
    return file;
}

}  // namespace strowger::pbx
