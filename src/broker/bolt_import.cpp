#include "broker/bolt_import.hpp"

#include <map>
#include <optional>
#include <string_view>

#include "base/log.hpp"
#include "base/text.hpp"
#include "broker/storage.hpp"
#include "io/file.hpp"
#include "io/raw_file.hpp"
#include "wire/bolt/bolt.hpp"
#include "wire/wasimoff/envelope.hpp"

namespace strowger::broker {

namespace {

constexpr log::About about{"broker"};
constexpr std::size_t digest_size = 32;
constexpr std::string_view ref_prefix = "sha256:";
constexpr std::size_t told_apart = 20;  // of what does not fit, by name

// A digest, however it is written.
std::optional<std::string> as_ref(std::string_view text) {
    if (is_ref(text)) return std::string(text);
    if (const auto ref = std::string(ref_prefix) + std::string(text); is_ref(ref)) return ref;
    if (text.size() == digest_size) return std::string(ref_prefix) + to_hex(text);
    return std::nullopt;
}

class Import {
public:
    Import(const std::string& path, Storage& storage) : path_(path), storage_(storage) {}

    void pair(std::string_view key, std::string_view value) {
        const auto ref = as_ref(key);
        if (ref && ref_of(value) == *ref) return store(*ref, value, "");
        if (wasimoff::pb::File file;
            ref && file.ParseFromArray(value.data(), static_cast<int>(value.size())) &&
            ref_of(file.blob()) == *ref)
            return store(*ref, file.blob(), "");
        if (auto named = as_ref(value); named && !ref && key.size() <= Storage::max_alias) {
            if (aliases_.size() < Storage::max_aliases)
                aliases_.insert_or_assign(std::string(key), std::move(*named));
            return;
        }
        if (sniff(value) && !ref) return store(ref_of(value), value, key);
        ++others_;
    }

    void finish() {
        for (const auto& [alias, ref] : aliases_) {
            if (!storage_.here(ref)) {
                ++others_;
                continue;
            }
            if (storage_.named(alias)) continue;
            storage_.learn_alias(alias, ref, "");
            ++names_;
        }
        if (refused_ > told_apart)
            LOG_WARNING(about, "{}: {} more files are not taken over", path_,
                        refused_ - told_apart);
        LOG_NOTICE(about,
                   "{}: {} files of {} bytes and {} aliases taken over, {} files were here; "
                   "{} values are neither",
                   path_, files_, bytes_, names_, here_, others_);
    }

private:
    void store(const std::string& ref, std::string_view content, std::string_view alias) {
        if (!alias.empty() && storage_.named(alias)) alias = {};
        if (storage_.here(ref) && alias.empty()) {
            ++here_;
            return;
        }
        // What was uploaded since then does not make room for it.
        if (!storage_.fits(content.size())) {
            refuse(ref, "it does not fit");
            return;
        }
        const auto stored =
            storage_.put(std::string(content), sniff(content).value_or(""), alias, "");
        if (!stored) {
            refuse(ref, stored.error().text());
            return;
        }
        ++files_;
        bytes_ += content.size();
        if (!alias.empty()) ++names_;
    }

    void refuse(const std::string& ref, std::string_view why) {
        if (++refused_ <= told_apart)
            LOG_WARNING(about, "{}: {} is not taken over: {}", path_, ref, why);
    }

    const std::string& path_;
    Storage& storage_;
    std::map<std::string, std::string> aliases_;
    std::size_t files_ = 0, bytes_ = 0, names_ = 0, here_ = 0, refused_ = 0, others_ = 0;
};

}  // namespace

Result<> import_bolt(const std::string& path, Storage& storage) {
    const auto info = io::file_info(path);
    if (!info) {
        LOG_NOTICE(about, "{}: no such database; new files go to {}.d", path, path);
        return {};
    }
    const auto file = io::RawFile::open(path);
    if (!file) return std::unexpected(file.error());
    if (!file->unlocked()) return fail("another program has the database open; end it first");
    if (info->size == 0) return {};
    Import import(path, storage);
    LOG_NOTICE(about, "{}: reading {} MiB", path, info->size >> 20U);
    auto done = bolt::read(
        info->size,
        [&](std::uint64_t offset, MutableBytes out) { return file->read_at(offset, out); },
        [&](std::string_view key, std::string_view value) { import.pair(key, value); });
    if (done) import.finish();
    return done;
}

}  // namespace strowger::broker
