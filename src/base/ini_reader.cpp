// The reader of the Asterisk dialect: lines, comments, headers, directives.

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/ini.hpp"
#include "base/text.hpp"

namespace strowger::ini {

class Reader {
public:
    Reader(FileSource& files, const ReadOptions& options, Diagnostics& diagnostics)
        : files_(files), options_(options), diagnostics_(diagnostics) {}

    Document read(const std::string& file) {
        read_file(file, 0);
        for (auto& section : document_.sections_)
            if (!section.is_template) document_.visible_.push_back(&section);
        return std::move(document_);
    }

private:
    void read_file(const std::string& file, std::size_t depth);
    void read_text(std::string_view text, std::uint32_t file, std::size_t depth);
    std::optional<std::string_view> strip_comments(std::string_view line);
    void take_line(std::string_view line, std::size_t depth);
    void take_header(std::string_view line);
    void take_header_option(std::string_view option, Section*& section, bool& usable);
    void take_assignment(std::string_view line);
    void take_directive(std::string_view line, std::size_t depth);
    void include(std::string_view name, bool must_exist, std::size_t depth);
    void execute(std::string_view command, std::size_t depth);

    Section* find(std::string_view name);
    Section* add_section(std::string_view name);
    void add_entry(Section& section, Entry entry);
    std::string_view own(std::string text) {
        return document_.texts_.emplace_back(std::move(text));
    }
    std::string path_of(std::string_view name) const;
    void warn(std::string text, std::string suggestion = {}) {
        diagnostics_.warn(document_.files_[place_.file], place_.line, std::move(text),
                          std::move(suggestion));
    }
    void error(std::string text, std::string suggestion = {}) {
        diagnostics_.error(document_.files_[place_.file], place_.line, std::move(text),
                           std::move(suggestion));
    }

    FileSource& files_;
    const ReadOptions& options_;
    Diagnostics& diagnostics_;
    Document document_;
    std::unordered_map<std::string, Section*> by_name_;  ///< lower case; the first of each name
    Section* section_ = nullptr;  ///< where assignments go; nullptr before the first header
    bool discarding_ = false;     ///< in a section whose header was wrong
    Place place_;
    std::size_t comment_depth_ = 0;  ///< of nested `;-- --;`; 0 outside
    std::size_t bytes_ = 0;
    std::size_t entries_ = 0;
    std::size_t inherited_ = 0;  ///< by the header at hand
    bool full_ = false;
    bool runaway_ = false;  ///< files include each other in a circle: no further one is read
};

std::string Reader::path_of(std::string_view name) const {
    if (name.starts_with('/') || options_.directory.empty()) return std::string(name);
    return options_.directory + '/' + std::string(name);
}

void Reader::read_file(const std::string& file, std::size_t depth) {
    if (document_.files_.size() >= max_files || full_) {
        if (!full_) error(fmt::format("more than {} files are included", max_files));
        full_ = true;
        return;
    }
    auto text = files_.read(path_of(file));
    const Place outer = place_;
    if (!text) {
        if (document_.files_.empty()) {
            document_.files_.push_back(file);
            diagnostics_.error(file, 0, text.error().text());
        } else {
            error(fmt::format("'{}' cannot be read: {}", file, text.error().text()));
        }
        return;
    }
    const auto index = static_cast<std::uint32_t>(document_.files_.size());
    document_.files_.push_back(file);
    read_text(own(std::move(*text)), index, depth);
    place_ = outer;
}

void Reader::read_text(std::string_view text, std::uint32_t file, std::size_t depth) {
    bytes_ += text.size();
    if (bytes_ > max_bytes) {
        full_ = true;
        diagnostics_.error(document_.files_[file], 0,
                           fmt::format("more than {} bytes of configuration", max_bytes));
        return;
    }
    static constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    place_ = {file, 0};
    const auto outer_comment = std::exchange(comment_depth_, 0);
    std::uint32_t comment_line = 0;
    while (!text.empty() && !full_) {
        const auto end = text.find('\n');
        const auto line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        ++place_.line;
        if (line.size() > max_line) {
            warn(fmt::format("a line of {} bytes is longer than {}; skipped", line.size(),
                             max_line));
            continue;
        }
        const bool was_comment = comment_depth_ > 0;
        const auto rest = strip_comments(line);
        if (!was_comment && comment_depth_ > 0) comment_line = place_.line;
        if (!rest) continue;
        const Place here = place_;
        if (const auto trimmed = trim(*rest); !trimmed.empty()) take_line(trimmed, depth);
        place_ = here;
    }
    if (comment_depth_ > 0)
        warn(fmt::format("the block comment that begins in line {} has no end", comment_line));
    comment_depth_ = outer_comment;
}

// What is left of a line without its comments. Borrows from the line where nothing had to be cut
// out of its middle, which is nearly always.
std::optional<std::string_view> Reader::strip_comments(std::string_view line) {
    if (comment_depth_ == 0 && line.find(';') == std::string_view::npos) return line;
    std::string kept;
    bool copied = comment_depth_ > 0;
    const auto keep_so_far = [&](std::size_t at) {
        if (!copied) kept.assign(line.substr(0, at));
        copied = true;
    };
    for (std::size_t at = 0; at < line.size(); ++at) {
        const auto rest = line.substr(at);
        const bool opens = rest.starts_with(";--") && !rest.starts_with(";---");
        if (comment_depth_ > 0) {
            if (rest.starts_with("--;")) {
                --comment_depth_;
                at += 2;
            } else if (opens) {
                if (comment_depth_ < max_comment_depth)
                    ++comment_depth_;
                else
                    warn(fmt::format("block comments nest deeper than {}", max_comment_depth));
                at += 2;
            }
            continue;
        }
        if (rest.front() == '\\' && rest.size() > 1 && rest[1] == ';') {
            keep_so_far(at);
            kept += ';';
            ++at;
        } else if (opens) {
            keep_so_far(at);
            ++comment_depth_;
            at += 2;
        } else if (rest.front() == ';') {
            if (!copied) return line.substr(0, at);
            break;
        } else if (copied) {
            kept += rest.front();
        }
    }
    if (!copied) return line;
    if (trim(kept).empty()) return std::nullopt;
    return own(std::move(kept));
}

void Reader::take_line(std::string_view line, std::size_t depth) {
    if (line.front() == '[') return take_header(line);
    if (line.front() == '#') return take_directive(line, depth);
    take_assignment(line);
}

Section* Reader::find(std::string_view name) {
    const auto found = by_name_.find(to_lower(name));
    return found == by_name_.end() ? nullptr : found->second;
}

Section* Reader::add_section(std::string_view name) {
    auto& section = document_.sections_.emplace_back();
    section.name = name;
    section.place = place_;
    return &section;
}

void Reader::take_header(std::string_view line) {
    const auto close = line.find(']');
    section_ = nullptr;
    discarding_ = true;
    if (close == std::string_view::npos) return error(fmt::format("'{}' has no closing ']'", line));
    const auto name = line.substr(1, close - 1);
    auto rest = line.substr(close + 1);
    std::vector<std::string_view> options;
    if (rest.starts_with('(')) {
        const auto end = rest.find(')');
        if (end == std::string_view::npos)
            return error(fmt::format("the options of [{}] have no closing ')'", name));
        options = split(rest.substr(1, end - 1), ',');
        rest = rest.substr(end + 1);
    }
    if (!trim(rest).empty())
        warn(fmt::format("'{}' after the header of [{}] means nothing", trim(rest), name));

    // `(+)` first decides which section is meant; where it stands among the options is free.
    const bool appends = std::any_of(options.begin(), options.end(),
                                     [](auto option) { return trim(option) == "+"; });
    if (appends) {
        section_ = find(name);
        if (!section_) {
            std::vector<std::string_view> names;
            for (const auto& section : document_.sections_)
                if (diagnostics_.wants_suggestions()) names.push_back(section.name);
            const auto near = nearest(name, names);
            return error(fmt::format("[{}](+) has no section to append to", name),
                         std::string(near.value_or("")));
        }
    } else {
        section_ = add_section(name);
    }
    discarding_ = false;
    bool usable = true;
    inherited_ = 0;
    for (const auto option : options) take_header_option(trim(option), section_, usable);
    if (!appends) by_name_.try_emplace(to_lower(name), section_);
    if (!usable) discarding_ = true;
}

void Reader::take_header_option(std::string_view option, Section*& section, bool& usable) {
    if (option.empty() || option == "+") return;
    if (option == "!") {
        section->is_template = true;
        return;
    }
    const auto* base = find(option);
    if (!base || base == section) {
        std::vector<std::string_view> names;
        for (const auto& other : document_.sections_)
            if (&other != section && diagnostics_.wants_suggestions()) names.push_back(other.name);
        const auto near = nearest(option, names);
        error(fmt::format("[{}] inherits from '{}', which is not defined above", section->name,
                          option),
              std::string(near.value_or("")));
        usable = false;
        return;
    }
    section->bases.push_back(option);
    inherited_ += base->entries.size();
    if (inherited_ > max_inherited) {
        error(fmt::format("[{}] inherits more than {} settings", section->name, max_inherited));
        usable = false;
        return;
    }
    for (std::size_t i = 0; i < base->entries.size() && !full_; ++i)
        add_entry(*section, base->entries[i]);
}

void Reader::add_entry(Section& section, Entry entry) {
    if (++entries_ > max_entries) {
        if (!full_) error(fmt::format("more than {} settings", max_entries));
        full_ = true;
        return;
    }
    section.entries.push_back(entry);
}

void Reader::take_assignment(std::string_view line) {
    // The key's first character may be escaped, to write one that begins with '#' or '['.
    const bool escaped = line.front() == '\\';
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) {
        warn(fmt::format("no '=' in '{}'; the line is ignored", line));
        return;
    }
    auto key = line.substr(0, equals);
    auto value = line.substr(equals + 1);
    const bool appends = key.ends_with('+');
    if (appends) key.remove_suffix(1);
    if (!appends && value.starts_with('>')) value.remove_prefix(1);
    if (escaped) key.remove_prefix(1);
    key = trim(key);
    value = trim(value);
    if (key.empty()) {
        warn(fmt::format("no key before '=' in '{}'; the line is ignored", line));
        return;
    }
    if (!section_) {
        if (!discarding_) warn(fmt::format("'{}' stands before the first [section]; ignored", key));
        return;
    }
    if (discarding_) return;
    if (!appends) return add_entry(*section_, {key, value, place_});
    const auto last = std::find_if(section_->entries.rbegin(), section_->entries.rend(),
                                   [&](const Entry& entry) { return iequals(entry.key, key); });
    if (last == section_->entries.rend()) return add_entry(*section_, {key, value, place_});
    // Appending again and again to one value must not copy without bound.
    static constexpr std::size_t longest = 1u << 20;
    if (last->value.size() + value.size() > longest) {
        warn(fmt::format("'{}' grows beyond {} bytes; not appended", key, longest));
        return;
    }
    bytes_ += last->value.size() + value.size();
    if (bytes_ > max_bytes) {
        full_ = true;
        return error(fmt::format("more than {} bytes of configuration", max_bytes));
    }
    last->value = own(fmt::format("{}{}", last->value, value));
}

namespace {

// A name as directives take it: bare, "quoted" or <bracketed>.
std::string_view unquoted(std::string_view text) {
    text = trim(text);
    if (text.size() >= 2 && ((text.front() == '"' && text.back() == '"') ||
                             (text.front() == '<' && text.back() == '>')))
        return text.substr(1, text.size() - 2);
    return text;
}

}  // namespace

void Reader::take_directive(std::string_view line, std::size_t depth) {
    line.remove_prefix(1);
    const auto blank = line.find_first_of(" \t\"<");
    const auto name = line.substr(0, blank);
    const auto argument = blank == std::string_view::npos ? "" : unquoted(line.substr(blank));
    const bool is_include = iequals(name, "include");
    const bool is_try = iequals(name, "tryinclude");
    const bool is_exec = iequals(name, "exec");
    if (!is_include && !is_try && !is_exec) {
        const auto near = nearest(name, {"include", "tryinclude", "exec"});
        return warn(fmt::format("unknown directive '#{}'", name),
                    near ? fmt::format("#{}", *near) : std::string{});
    }
    if (argument.empty()) return error(fmt::format("#{} wants a name", name));
    if (runaway_) return;
    if (depth + 1 > max_include_depth) {
        // Two includes of oneself would be followed 2^10 times. It is an error already: once is
        // enough.
        runaway_ = true;
        return error(fmt::format("'{}': files include each other deeper than {}", argument,
                                 max_include_depth));
    }
    if (is_exec) return execute(argument, depth + 1);
    include(argument, is_include, depth + 1);
}

void Reader::include(std::string_view name, bool must_exist, std::size_t depth) {
    const bool pattern = name.find_first_of("*?[") != std::string_view::npos;
    const auto path = path_of(name);
    std::vector<std::string> paths;
    if (!pattern && files_.exists(path))
        paths.push_back(path);
    else
        paths = files_.glob(path);
    if (paths.empty()) {
        // A pattern that matches nothing is an empty directory of drop-ins, which is no mistake.
        if (must_exist && !pattern)
            error(fmt::format("the included file '{}' does not exist", name));
        return;
    }
    auto* const outer = section_;
    const bool outer_discarding = discarding_;
    for (auto& found : paths) {
        section_ = outer;
        discarding_ = outer_discarding;
        // Names in diagnostics are as the user wrote them: relative to the directory.
        const auto prefix = options_.directory + '/';
        read_file(found.starts_with(prefix) ? found.substr(prefix.size()) : found, depth);
    }
    section_ = outer;
    discarding_ = outer_discarding;
}

void Reader::execute(std::string_view command, std::size_t depth) {
    if (!options_.execute)
        return warn("#exec is not obeyed unless asterisk.conf [options] has execincludes=yes");
    auto output = files_.execute(std::string(command));
    if (!output) return error(fmt::format("#exec {}: {}", command, output.error().text()));
    if (document_.files_.size() >= max_files) return error("too many files are included");
    const auto index = static_cast<std::uint32_t>(document_.files_.size());
    document_.files_.push_back(fmt::format("#exec {}", command));
    auto* const outer = section_;
    const bool outer_discarding = discarding_;
    const Place here = place_;
    read_text(own(std::move(*output)), index, depth);
    place_ = here;
    section_ = outer;
    discarding_ = outer_discarding;
}

Document read(FileSource& files, const std::string& file, const ReadOptions& options,
              Diagnostics& diagnostics) {
    return Reader(files, options, diagnostics).read(file);
}

}  // namespace strowger::ini
