#pragma once

#include "broker/access.hpp"
#include "broker/jobs.hpp"
#include "broker/storage.hpp"

namespace strowger::broker {

/// The Upload call: media type wasm or zip, the alias in `ref`, the content in `blob`.
/// `then` comes when other brokers, if there are any, know of it.
using Uploaded = std::move_only_function<void(Result<pb::Filesystem_Upload_Response>)>;
void store_upload(Storage& storage, pb::Filesystem_Upload_Request request, const Who& who,
                  Uploaded then);

/// Stores a file and tells the other brokers.
using Stored = std::move_only_function<void(Result<Storage::File>)>;
void store_and_share(Storage& storage, std::string bytes, std::string_view media,
                     std::string_view alias, const Who& who, Stored then);

/// Whose alias an upload makes: an admin may overwrite anybody's.
inline std::string_view owner_of(const Who& who) {
    return who.admin ? std::string_view() : std::string_view(who.token);
}

}  // namespace strowger::broker
