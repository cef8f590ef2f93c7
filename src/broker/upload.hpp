#pragma once

#include "broker/access.hpp"
#include "broker/jobs.hpp"
#include "broker/storage.hpp"

namespace strowger::broker {

/// The Upload call: media type wasm or zip, the alias in `ref`, the content in `blob`.
Result<pb::Filesystem_Upload_Response> store_upload(Storage& storage,
                                                    pb::Filesystem_Upload_Request request,
                                                    const Who& who);

/// Whose alias an upload makes: an admin may overwrite anybody's.
inline std::string_view owner_of(const Who& who) {
    return who.admin ? std::string_view() : std::string_view(who.token);
}

}  // namespace strowger::broker
