#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.hpp"
#include "base/text.hpp"
#include "io/sqlite.hpp"

namespace strowger::broker {

/// Files by content: each is known by its SHA-256 ("sha256:" and 64 hexadecimal digits) and by
/// any number of aliases, of which the last upload wins.
///
/// In memory, or in a directory: contents in DIR/blob/REF, written whole or not at all, aliases in
/// a small database. When room runs short, the files go that no alias names, those unused for
/// longest first.
class Storage {
public:
    struct Limits {
        std::size_t file = 0;   ///< bytes of one
        std::size_t total = 0;  ///< bytes of all
    };
    static constexpr std::size_t max_alias = 255;  ///< bytes of a name
    static constexpr std::size_t max_aliases = 100'000;
    static constexpr std::size_t max_files = 100'000;
    /// Contents of a directory's files that are kept in memory, for those in use.
    static constexpr std::size_t max_cached = 256 << 20;

    struct File {
        std::string ref;
        std::string media;
        std::size_t size = 0;
    };
    /// The same files at other brokers.
    class Others {
    public:
        using Then = std::move_only_function<void(Result<>)>;
        virtual ~Others() = default;
        /// A file that was just stored here. That they cannot be told now is no error: they will
        /// be.
        virtual void share(const File& file, std::string_view alias, std::string_view owner,
                           Then then) = 0;
        /// Sees to it that the content is in the storage.
        virtual void fetch(const std::string& ref, Then then) = 0;
        /// Learns of a name that was not heard of here, if they have it.
        virtual void find(const std::string& ref_or_alias, std::function<void()> then) = 0;
    };
    void set_others(Others* others) { others_ = others; }
    Others* others() const { return others_; }  ///< nullptr when there are none

    /// ":memory:", "memory://", "dirfs://DIR" or a directory; "boltdb://FILE" is FILE.d, into which
    /// goes at the start what the Bolt database FILE holds and it does not.
    static Result<std::unique_ptr<Storage>> open(std::string_view where, Limits limits);
    /// A directory is meant, not memory.
    static bool on_disk(std::string_view where);

    /// `owner` is the name of a token, or empty: an alias that somebody else made stays theirs, and
    /// the error's code is `not_yours`. Errors of size carry `too_large`.
    /// `allowance`: bytes that files first stored by `owner` may have together; 0: no limit.
    Result<File> put(std::string bytes, std::string_view media, std::string_view alias,
                     std::string_view owner, std::size_t allowance = 0);
    std::optional<File> find(std::string_view ref_or_alias);
    /// Shared with answers under way, so that nothing is copied.
    Result<std::shared_ptr<const std::string>> read(std::string_view ref);

    /// A file that other brokers share, whose content is not here until `hold`; `read` fails with
    /// `not_here` before that.
    void learn(File file);
    void learn_alias(std::string_view alias, std::string_view ref, std::string_view owner);
    /// Content of a file that was learned; what does not match its digest is refused.
    Result<> hold(std::string_view ref, std::string bytes);
    /// Others have it as well: when room runs short its content goes, not the file.
    void shared(std::string_view ref);
    bool here(std::string_view ref) const;

    struct Named {
        std::string alias;
        File file;
        std::string owner = {};
    };
    std::vector<Named> aliases() const;  ///< by name
    bool named(std::string_view alias) const { return aliases_.contains(alias); }
    /// So many bytes more have room without any file going.
    bool fits(std::size_t size) const {
        return size <= limits_.file && bytes_ + size <= limits_.total;
    }
    std::size_t files() const { return entries_.size(); }
    std::size_t bytes() const { return bytes_; }

    std::vector<File> contents() const;  ///< of all files that are here

    static constexpr int not_here = 302;
    static constexpr int not_yours = 403;
    static constexpr int too_large = 413;
    /// The disk or the database failed. The text is for clients and holds no path; the log says it.
    static constexpr int broken = 500;

private:
    struct Entry {
        File file;
        std::shared_ptr<const std::string> content;  // in memory, or cached
        bool here = true, shared = false;
        std::string owner = {};                 // who stored it first, or nobody
        std::size_t named = 0;                  // aliases that point here
        std::list<std::string>::iterator used;  // in order_
    };
    struct Alias {
        std::string ref;
        std::string owner;
    };
    template <typename Value>
    using Map = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

    explicit Storage(Limits limits) : limits_(limits) {}
    Result<> load(const std::string& directory);
    Entry& add(File file, bool here = true);
    void charge(Entry& entry, std::string_view owner);
    void credit(Entry& entry);
    void touch(Entry& entry);
    void cache(Entry& entry, std::shared_ptr<const std::string> content);
    Result<> make_room(std::size_t wanted);
    Result<> name(std::string_view alias, std::string_view ref, std::string_view owner);
    std::string path(std::string_view ref) const;

    Limits limits_;
    Others* others_ = nullptr;
    std::string directory_;  // empty: memory
    std::optional<io::Database> index_;
    Map<Entry> entries_;
    Map<Alias> aliases_;
    Map<std::size_t> stored_;       // bytes of each owner's files
    std::list<std::string> order_;  // refs, the longest unused first
    std::size_t bytes_ = 0, cached_ = 0;
};

/// What the first bytes say: "application/wasm", "application/zip", or nothing.
std::optional<std::string_view> sniff(std::string_view bytes);
bool is_ref(std::string_view text);
std::string ref_of(std::string_view bytes);

}  // namespace strowger::broker
