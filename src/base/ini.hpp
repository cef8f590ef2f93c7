#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace strowger::ini {

/// Where configuration text comes from. Reading is I/O, so whoever owns the disk brings it along.
class FileSource {
public:
    virtual ~FileSource() = default;
    /// The whole file. A path is as written: relative ones are relative to the reader's directory.
    virtual Result<std::string> read(const std::string& path) = 0;
    virtual bool exists(const std::string& path) = 0;
    /// The paths that match a shell pattern, sorted; a pattern without wildcards gives itself when
    /// such a file exists.
    virtual std::vector<std::string> glob(const std::string& pattern) = 0;
    /// Standard output of a command (`#exec`). Asked only where the configuration allows it.
    virtual Result<std::string> execute(const std::string& command) = 0;
};

/// Files that exist only in memory: for tests, fuzzing and embedded defaults.
class MemoryFiles final : public FileSource {
public:
    MemoryFiles() = default;
    explicit MemoryFiles(std::map<std::string, std::string> files) : files_(std::move(files)) {}
    void put(std::string path, std::string text) { files_[std::move(path)] = std::move(text); }
    Result<std::string> read(const std::string& path) override;
    bool exists(const std::string& path) override { return files_.contains(path); }
    std::vector<std::string> glob(const std::string& pattern) override;
    Result<std::string> execute(const std::string& command) override;

private:
    std::map<std::string, std::string> files_;
};

enum class Severity { warning, error };

/// One complaint with its place: "pjsip.conf:41: unknown key 'contxt' (did you mean 'context'?)".
struct Diagnostic {
    Severity severity = Severity::warning;
    std::string file;
    unsigned line = 0;  ///< 0: the file as a whole
    std::string text;
    std::string suggestion;  ///< the nearest right word, or empty

    std::string message() const;
};

/// Everything that was found wrong, in the order of finding. An error means: do not activate.
class Diagnostics {
public:
    void warn(std::string file, unsigned line, std::string text, std::string suggestion = {});
    void error(std::string file, unsigned line, std::string text, std::string suggestion = {});
    const std::vector<Diagnostic>& all() const { return all_; }
    bool ok() const { return errors_ == 0; }
    bool empty() const { return all_.empty(); }
    std::size_t errors() const { return errors_; }
    /// Looking for the nearest word costs more than all else; a file of nothing but mistakes gets
    /// suggestions for the first of them only.
    bool wants_suggestions() const { return all_.size() < 100; }
    std::string text() const;  ///< one message a line

private:
    void add(Severity severity, std::string file, unsigned line, std::string text,
             std::string suggestion);
    std::vector<Diagnostic> all_;
    std::size_t errors_ = 0;
};

/// File (an index into the document's list) and line (from 1) of an entry or header.
struct Place {
    std::uint32_t file = 0;
    std::uint32_t line = 0;
};

/// `key = value`. Both borrow from the Document.
struct Entry {
    std::string_view key;
    std::string_view value;
    Place place;
};

/// `[name]` with its entries in order: those of its bases first, then its own.
class Section {
public:
    std::string_view name;
    Place place;
    bool is_template = false;
    std::vector<std::string_view> bases;  ///< names written in its header, for those who show them
    std::vector<Entry> entries;

    /// The last value of `key` (any case), or nothing.
    std::optional<std::string_view> get(std::string_view key) const;
    const Entry* find(std::string_view key) const;  ///< the last entry of `key`
    /// Every value of `key` in order.
    std::vector<std::string_view> all(std::string_view key) const;
};

/// A configuration file with its includes, in the Asterisk dialect (spec: docs/configuration).
///
/// Owns the text; sections and entries are views into it, so a Document moves but is not copied.
class Document {
public:
    Document() = default;
    Document(Document&&) = default;
    Document& operator=(Document&&) = default;
    Document(const Document&) = delete;
    Document& operator=(const Document&) = delete;

    /// Sections that consumers may see, in order; templates are left out.
    const std::vector<const Section*>& sections() const { return visible_; }
    /// The first section of that name (any case), or nullptr.
    const Section* find(std::string_view name) const;
    /// Templates too, for a listing.
    const std::deque<Section>& all_sections() const { return sections_; }

    const std::string& file(Place place) const { return files_[place.file]; }
    std::string where(Place place) const;                             ///< "extensions.conf:12"
    const std::vector<std::string>& files() const { return files_; }  ///< everything that was read

private:
    friend class Reader;
    std::vector<std::string> files_;
    std::deque<std::string> texts_;  ///< what the views point into; a deque never moves them
    std::deque<Section> sections_;
    std::vector<const Section*> visible_;
};

struct ReadOptions {
    bool execute = false;  ///< `execincludes=yes`: `#exec` is obeyed
    /// Directory that relative names are relative to; "" gives the names as they stand.
    std::string directory;
};

/// Reads `file` and what it includes. Everything that could be read is in the document; what could
/// not is in `diagnostics`, and an error there means that the file must not be activated.
Document read(FileSource& files, const std::string& file, const ReadOptions& options,
              Diagnostics& diagnostics);

/// Bounds on hostile or runaway input.
inline constexpr std::size_t max_line = 8192;          ///< Asterisk's own limit
inline constexpr std::size_t max_include_depth = 10;   ///< Asterisk's own limit
inline constexpr std::size_t max_comment_depth = 128;  ///< Asterisk's own limit
inline constexpr std::size_t max_files = 4096;         ///< globs that include globs multiply
inline constexpr std::size_t max_bytes = 256u << 20;   ///< of all files together
inline constexpr std::size_t max_entries = 2'000'000;  ///< of all sections together
inline constexpr std::size_t max_inherited = 1000;     ///< templates that inherit twice double

}  // namespace strowger::ini
