#include "broker/storage.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/log.hpp"
#include "broker/bolt_import.hpp"
#include "io/file.hpp"

namespace strowger::broker {

namespace {

constexpr log::About about{"broker"};
constexpr std::string_view ref_prefix = "sha256:";
constexpr std::size_t ref_size = ref_prefix.size() + 64;
constexpr std::string_view bolt_prefix = "boltdb://";
constexpr std::string_view any_media = "application/octet-stream";

bool printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) > 0x1f; });
}

// Clients read what is returned, so that the paths of this machine go to the log alone.
std::unexpected<Error> disk_failed(std::string what, const Error& why) {
    LOG_ERROR(about, "{}: {}", what, why.text());
    return std::unexpected(Error(std::move(what), Storage::broken));
}

}  // namespace

std::optional<std::string_view> sniff(std::string_view bytes) {
    using namespace std::string_view_literals;
    if (bytes.starts_with("\0asm"sv)) return "application/wasm";
    if (bytes.starts_with("PK\3\4"sv)) return "application/zip";
    return std::nullopt;
}

bool is_ref(std::string_view text) {
    return text.size() == ref_size && text.starts_with(ref_prefix) &&
           std::ranges::all_of(text.substr(ref_prefix.size()),
                               [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

std::string ref_of(std::string_view bytes) {
    std::array<char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &length,
               EVP_sha256(), nullptr);
    return std::string(ref_prefix) + to_hex({digest.data(), length});
}

bool Storage::on_disk(std::string_view where) {
    return where != ":memory:" && !where.starts_with("memory://") && !where.empty();
}

Result<std::unique_ptr<Storage>> Storage::open(std::string_view where, Limits limits) {
    std::unique_ptr<Storage> storage(new Storage(limits));
    if (!on_disk(where)) return storage;
    if (where.starts_with(bolt_prefix)) {
        const std::string database(where.substr(bolt_prefix.size()));
        if (auto loaded = storage->load(database + ".d"); !loaded)
            return std::unexpected(loaded.error().within(fmt::format("storage {}.d", database)));
        if (auto imported = import_bolt(database, *storage); !imported)
            return std::unexpected(imported.error().within(fmt::format("storage {}", where)));
        return storage;
    }
    if (where.starts_with("dirfs://")) where.remove_prefix(8);
    if (auto loaded = storage->load(std::string(where)); !loaded)
        return std::unexpected(loaded.error().within(fmt::format("storage {}", where)));
    return storage;
}

Result<> Storage::load(const std::string& directory) {
    directory_ = directory;
    if (auto made = io::make_directories(directory + "/blob"); !made) return made;
    auto index = io::Database::open(directory + "/aliases.sqlite");
    if (!index) return std::unexpected(index.error());
    index_ = std::move(*index);
    if (auto made = index_->exec("CREATE TABLE IF NOT EXISTS alias"
                                 "(name TEXT PRIMARY KEY, ref TEXT NOT NULL, owner TEXT NOT NULL)");
        !made)
        return made;
    const auto names = io::list_directory(directory + "/blob");
    if (!names) return std::unexpected(names.error());
    for (const auto& name : *names) {
        if (!is_ref(name) || entries_.size() >= max_files) continue;
        const auto info = io::file_info(path(name));
        if (!info || info->directory) continue;
        add({name, "", info->size});
    }
    auto rows = index_->prepare("SELECT name, ref, owner FROM alias");
    if (!rows) return std::unexpected(rows.error());
    for (;;) {
        const auto row = rows->step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return {};
        const auto found = entries_.find(rows->text(1));
        if (found == entries_.end() || aliases_.size() >= max_aliases) continue;
        ++found->second.named;
        charge(found->second, rows->text(2));
        aliases_.emplace(rows->text(0),
                         Alias{std::string(rows->text(1)), std::string(rows->text(2))});
    }
}

std::string Storage::path(std::string_view ref) const {
    return fmt::format("{}/blob/{}", directory_, ref);
}

Storage::Entry& Storage::add(File file, bool here) {
    if (here) bytes_ += file.size;
    const auto ref = file.ref;
    auto& entry = entries_[ref];
    entry.file = std::move(file);
    entry.here = here;
    entry.used = order_.insert(order_.end(), ref);
    return entry;
}

// After a restart a file belongs to the owner of its first alias.
void Storage::charge(Entry& entry, std::string_view owner) {
    if (owner.empty() || !entry.owner.empty()) return;
    entry.owner = owner;
    stored_[entry.owner] += entry.file.size;
}

void Storage::credit(Entry& entry) {
    const auto found = stored_.find(entry.owner);
    if (found == stored_.end()) return;
    found->second -= entry.file.size;
    if (found->second == 0) stored_.erase(found);
    entry.owner.clear();
}

void Storage::touch(Entry& entry) { order_.splice(order_.end(), order_, entry.used); }

void Storage::cache(Entry& entry, std::shared_ptr<const std::string> content) {
    entry.content = std::move(content);
    if (directory_.empty()) return;
    cached_ += entry.file.size;
    for (const auto& ref : order_) {
        if (cached_ <= max_cached) return;
        auto& oldest = entries_.find(ref)->second;
        if (&oldest == &entry || !oldest.content) continue;
        oldest.content.reset();
        cached_ -= oldest.file.size;
    }
}

Result<> Storage::make_room(std::size_t wanted) {
    for (auto at = order_.begin(); at != order_.end();) {
        if (bytes_ + wanted <= limits_.total && entries_.size() < max_files) return {};
        const auto found = entries_.find(*at);
        ++at;
        auto& entry = found->second;
        if (!entry.here || (entry.named && !entry.shared)) continue;
        LOG_NOTICE(about, "storage is full: {} goes, {}", entry.file.ref,
                   entry.shared ? "others have it" : "nothing names it");
        if (!directory_.empty()) {
            if (auto gone = io::remove_file(path(entry.file.ref)); !gone)
                return disk_failed("storage is full, and no room can be made", gone.error());
            if (entry.content) cached_ -= entry.file.size;
        }
        bytes_ -= entry.file.size;
        credit(entry);
        if (entry.shared) {
            entry.here = false;
            entry.content.reset();
            continue;
        }
        order_.erase(entry.used);
        entries_.erase(found);
    }
    if (bytes_ + wanted <= limits_.total && entries_.size() < max_files) return {};
    return fail_with(too_large, "storage is full: {} of {} bytes in use", bytes_, limits_.total);
}

Result<Storage::File> Storage::put(std::string bytes, std::string_view media,
                                   std::string_view alias, std::string_view owner,
                                   std::size_t allowance) {
    if (bytes.size() > limits_.file)
        return fail_with(too_large, "a file has at most {} bytes, this one {}", limits_.file,
                         bytes.size());
    if (alias.size() > max_alias || !printable(alias))
        return fail("an alias is printable and has at most {} bytes", max_alias);
    if (const auto held = aliases_.find(alias);
        !owner.empty() && held != aliases_.end() && held->second.owner != owner)
        return fail_with(not_yours, "'{}' is somebody else's alias", alias);
    auto ref = ref_of(bytes);
    auto found = entries_.find(ref);
    if (found == entries_.end() || !found->second.here) {
        const auto size = bytes.size();
        const auto own = stored_.find(owner);
        if (allowance && (own == stored_.end() ? 0 : own->second) + size > allowance)
            return fail_with(too_large, "'{}' has {} of {} bytes stored, and this one has {}",
                             owner, own == stored_.end() ? 0 : own->second, allowance, size);
        if (auto room = make_room(size); !room) return std::unexpected(room.error());
        if (!directory_.empty())
            if (auto written = io::replace_file(path(ref), bytes); !written)
                return disk_failed(fmt::format("{} cannot be written", ref), written.error());
        found = entries_.find(ref);
        if (found == entries_.end()) {
            add({ref, std::string(media), size});
            found = entries_.find(ref);
        } else {
            found->second.here = true;
            bytes_ += size;
        }
        charge(found->second, owner);
        cache(found->second, std::make_shared<const std::string>(std::move(bytes)));
    }
    touch(found->second);
    if (auto named = name(alias, ref, owner); !named) return std::unexpected(named.error());
    return find(ref).value();
}

Result<> Storage::name(std::string_view alias, std::string_view ref, std::string_view owner) {
    if (alias.empty()) return {};
    auto held = aliases_.find(alias);
    if (held == aliases_.end() && aliases_.size() >= max_aliases)
        return fail_with(too_large, "there are {} aliases already", max_aliases);
    if (index_) {
        auto insert = index_->prepare("INSERT OR REPLACE INTO alias VALUES(?, ?, ?)");
        if (!insert) return disk_failed("the alias cannot be kept", insert.error());
        if (auto done = insert->bind(1, alias).bind(2, ref).bind(3, owner).run(); !done)
            return disk_failed("the alias cannot be kept", done.error());
    }
    if (held == aliases_.end())
        held = aliases_.emplace(alias, Alias{}).first;
    else if (const auto before = entries_.find(held->second.ref); before != entries_.end())
        --before->second.named;
    held->second = {std::string(ref), std::string(owner)};
    ++entries_.find(ref)->second.named;
    return {};
}

std::optional<Storage::File> Storage::find(std::string_view ref_or_alias) {
    auto ref = ref_or_alias;
    if (const auto alias = aliases_.find(ref_or_alias); alias != aliases_.end())
        ref = alias->second.ref;
    const auto found = entries_.find(ref);
    if (found == entries_.end()) return std::nullopt;
    auto& entry = found->second;
    touch(entry);
    // Of what a directory held from before, the type is looked at when somebody asks.
    if (entry.file.media.empty()) {
        const auto content = read(entry.file.ref);
        entry.file.media = content ? sniff(**content).value_or(any_media) : any_media;
    }
    return entry.file;
}

Result<std::shared_ptr<const std::string>> Storage::read(std::string_view ref) {
    const auto found = entries_.find(ref);
    if (found == entries_.end()) return fail("{} is not stored", ref);
    auto& entry = found->second;
    touch(entry);
    if (entry.content) return entry.content;
    if (!entry.here) return fail_with(not_here, "{} is not here yet", ref);
    auto content = io::read_file(path(ref), limits_.file + 1);
    if (!content) return disk_failed(fmt::format("{} cannot be read", ref), content.error());
    if (ref_of(*content) != ref)
        return disk_failed(fmt::format("{} cannot be read", ref),
                           Error(path(ref) + ": the content is not what its name says"));
    auto shared = std::make_shared<const std::string>(std::move(*content));
    cache(entry, shared);
    return shared;
}

void Storage::learn(File file) {
    if (!is_ref(file.ref)) return;
    if (const auto found = entries_.find(file.ref); found != entries_.end()) {
        found->second.shared = true;
        return;
    }
    if (entries_.size() >= max_files) return;
    add(std::move(file), false).shared = true;
}

void Storage::learn_alias(std::string_view alias, std::string_view ref, std::string_view owner) {
    if (alias.empty() || alias.size() > max_alias || !entries_.contains(ref)) return;
    if (auto named = name(alias, ref, owner); !named)
        LOG_WARNING(about, "alias '{}' of another broker: {}", alias, named.error().text());
}

Result<> Storage::hold(std::string_view ref, std::string bytes) {
    const auto found = entries_.find(ref);
    if (found == entries_.end()) return fail("{} is not known", ref);
    if (ref_of(bytes) != ref) return fail("what was stored as {} is something else", ref);
    const auto media = found->second.file.media;
    const auto stored = put(std::move(bytes), media, "", "");
    return stored ? Result<>{} : std::unexpected(stored.error());
}

void Storage::shared(std::string_view ref) {
    if (const auto found = entries_.find(ref); found != entries_.end()) found->second.shared = true;
}

bool Storage::here(std::string_view ref) const {
    const auto found = entries_.find(ref);
    return found != entries_.end() && found->second.here;
}

std::vector<Storage::File> Storage::contents() const {
    std::vector<File> list;
    for (const auto& [ref, entry] : entries_)
        if (entry.here) list.push_back(entry.file);
    return list;
}

std::vector<Storage::Named> Storage::aliases() const {
    std::vector<Named> list;
    for (const auto& [alias, held] : aliases_)
        if (const auto found = entries_.find(held.ref); found != entries_.end())
            list.push_back({alias, found->second.file, held.owner});
    std::ranges::sort(list, {}, &Named::alias);
    return list;
}

}  // namespace strowger::broker
