#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "io/file.hpp"
#include "pbx/applications.hpp"
#include "pbx/dialplan/arguments.hpp"
#include "pbx/option_letters.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Call;

// A value becomes a variable; larger files are not the dialplan's business.
constexpr std::size_t max_file = std::size_t{1} << 20;

// `length` elements from `offset`, as substrings of variables: negative ones count from the end.
std::pair<std::size_t, std::size_t> range(std::size_t size, std::int64_t offset,
                                          std::optional<std::int64_t> length) {
    const auto n = static_cast<std::int64_t>(size);
    const auto begin = std::clamp(offset < 0 ? n + offset : offset, std::int64_t{0}, n);
    auto end = n;
    if (length)
        end = *length < 0 ? n + std::max(*length, -n) : begin + std::min(*length, n - begin);
    return {static_cast<std::size_t>(begin), static_cast<std::size_t>(std::max(begin, end))};
}

// FILE(path[,offset[,length[,l]]]): in bytes, or with l in lines.
Result<std::string> read(Call&, std::string_view args) {
    const auto arguments = dialplan::split_arguments(args);
    auto content = io::read_file(std::string(argument(arguments, 0)), max_file);
    if (!content) return std::unexpected(content.error());
    const auto offset = parse_number<std::int64_t>(trim(argument(arguments, 1))).value_or(0);
    const auto length = parse_number<std::int64_t>(trim(argument(arguments, 2)));
    if (!OptionLetters(argument(arguments, 3)).has('l')) {
        const auto [begin, end] = range(content->size(), offset, length);
        return content->substr(begin, end - begin);
    }
    auto lines = split(*content, '\n');
    if (!lines.empty() && lines.back().empty()) lines.pop_back();
    const auto [begin, end] = range(lines.size(), offset, length);
    std::string text;
    for (auto i = begin; i < end; ++i) (text += lines[i]) += '\n';
    return text;
}

// Set(FILE(path,,,[a][l])=text): replaces the file, or with `a` adds to it; with `l` as a line.
Result<> write(Call&, std::string_view args, std::string_view value) {
    const auto arguments = dialplan::split_arguments(args);
    const OptionLetters options(argument(arguments, 3));
    if (!trim(argument(arguments, 1)).empty() || !trim(argument(arguments, 2)).empty())
        return fail("FILE can be set as a whole or added to, not in the middle");
    std::string text(value);
    if (options.has('l')) text += '\n';
    const std::string path(argument(arguments, 0));
    return options.has('a') ? io::append_file(path, text) : io::replace_file(path, text);
}

// STAT(flag,path): d, e, f are 1 or 0; s the size; M when it was changed.
Result<std::string> stat(Call&, std::string_view args) {
    const auto [flag, path] = split_once(args, ',');
    const auto what = trim(flag);
    const auto info = io::file_info(std::string(trim(path)));
    if (what == "e") return std::string(info ? "1" : "0");
    if (what == "d") return std::string(info && info->directory ? "1" : "0");
    if (what == "f") return std::string(info && !info->directory ? "1" : "0");
    if (what != "s" && what != "M") return fail("STAT({}): the flags are d, e, f, s and M", what);
    if (!info) return std::unexpected(info.error());
    if (what == "s") return std::to_string(info->size);
    return std::to_string(
        std::chrono::duration_cast<std::chrono::seconds>(info->modified.time_since_epoch())
            .count());
}

// A number behind "MemTotal:" in /proc/meminfo, in KiB.
Result<std::string> memory(std::string_view name) {
    const auto text = io::read_file("/proc/meminfo", 1 << 16);
    if (!text) return std::unexpected(text.error());
    for (const auto line : split(*text, '\n')) {
        const auto [key, value] = split_once(line, ':');
        if (key == name) return std::string(split_once(trim(value), ' ').first);
    }
    return fail("the system does not say {}", name);
}

Result<std::string> system(Call& call, std::string_view args) {
    const auto what = trim(args);
    if (what == "numcalls")
        return std::to_string(static_cast<Channel&>(call).core().channels.size());
    if (what == "totalram") return memory("MemTotal");
    if (what == "freeram") return memory("MemFree");
    if (what == "bufferram") return memory("Buffers");
    if (what == "totalswap") return memory("SwapTotal");
    if (what == "freeswap") return memory("SwapFree");
    const bool uptime = what == "uptime";
    if (!uptime && what != "loadavg" && what != "numprocs")
        return fail("SYSINFO({}): unknown", what);
    const auto text = io::read_file(uptime ? "/proc/uptime" : "/proc/loadavg", 4096);
    if (!text) return std::unexpected(text.error());
    const auto words = split(*text, ' ');
    if (what == "numprocs")
        return std::string(words.size() > 3 ? split_once(words[3], '/').second : "");
    if (!uptime) return std::string(words.front());
    const auto up = parse_number<double>(words.front()).value_or(0);
    return std::to_string(static_cast<std::int64_t>(up / 3600));
}

}  // namespace

void add_file_functions(dialplan::Functions& functions) {
    functions.add("FILE", "A file: FILE(path[,offset[,length[,l]]]); set: FILE(path,,,[a][l])",
                  read, write);
    functions.mark_dangerous("FILE");
    functions.add("STAT", "What a file is: STAT(d|e|f|s|M,path)", stat);
    functions.add(
        "SYSINFO",
        "The machine: "
        "SYSINFO(loadavg|numcalls|uptime|numprocs|totalram|freeram|bufferram|totalswap|freeswap)",
        system);
}

}  // namespace strowger::pbx
