#include "broker/upload.hpp"

#include "base/text.hpp"

namespace strowger::broker {

using connect::Code;

Result<pb::Filesystem_Upload_Response> store_upload(Storage& storage,
                                                    pb::Filesystem_Upload_Request request,
                                                    const Who& who) {
    auto& file = *request.mutable_upload();
    const auto media = trim(split_once(file.media(), ';').first);
    if (media != "application/wasm" && media != "application/zip")
        return refuse(Code::invalid_argument,
                      fmt::format("unsupported filetype '{}'", file.media()));
    const auto alias = is_ref(file.ref()) ? std::string() : file.ref();
    const auto stored = storage.put(std::move(*file.mutable_blob()), media, alias, owner_of(who));
    if (!stored) {
        const auto& error = stored.error();
        const auto code = error.code() == Storage::too_large   ? Code::resource_exhausted
                          : error.code() == Storage::not_yours ? Code::permission_denied
                                                               : Code::invalid_argument;
        return refuse(code, error.text());
    }
    pb::Filesystem_Upload_Response response;
    response.set_ref(stored->ref);
    return response;
}

}  // namespace strowger::broker
