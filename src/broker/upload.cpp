#include "broker/upload.hpp"

#include "base/text.hpp"

namespace strowger::broker {

using connect::Code;

void store_and_share(Storage& storage, std::string bytes, std::string_view media,
                     std::string_view alias, const Who& who, Stored then) {
    auto stored = storage.put(std::move(bytes), media, alias, owner_of(who), who.stored);
    if (!stored || !storage.others()) return then(std::move(stored));
    storage.others()->share(*stored, alias, owner_of(who),
                            [file = *stored, then = std::move(then)](Result<> done) mutable {
                                if (!done) return then(std::unexpected(done.error()));
                                then(std::move(file));
                            });
}

void store_upload(Storage& storage, pb::Filesystem_Upload_Request request, const Who& who,
                  Uploaded then) {
    auto& file = *request.mutable_upload();
    const auto media = trim(split_once(file.media(), ';').first);
    if (media != "application/wasm" && media != "application/zip")
        return then(
            refuse(Code::invalid_argument, fmt::format("unsupported filetype '{}'", file.media())));
    const auto alias = is_ref(file.ref()) ? std::string() : file.ref();
    store_and_share(storage, std::move(*file.mutable_blob()), media, alias, who,
                    [then = std::move(then)](Result<Storage::File> stored) mutable {
                        if (!stored) {
                            const auto& error = stored.error();
                            const auto code =
                                error.code() == Storage::too_large   ? Code::resource_exhausted
                                : error.code() == Storage::not_yours ? Code::permission_denied
                                : error.code() == Storage::broken    ? Code::internal
                                                                     : Code::invalid_argument;
                            return then(refuse(code, error.text()));
                        }
                        pb::Filesystem_Upload_Response response;
                        response.set_ref(stored->ref);
                        then(std::move(response));
                    });
}

}  // namespace strowger::broker
