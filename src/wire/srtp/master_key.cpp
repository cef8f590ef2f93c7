#include "wire/srtp/master_key.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

namespace strowger::srtp {

Result<MasterKey> MasterKey::from(Suite suite, Bytes bytes) {
    const auto& info = info_of(suite);
    MasterKey made(info);
    if (bytes.size() != made.key_and_salt().size()) {
        return fail("{} has a key of {} and a salt of {} bytes, but {} came", info.name,
                    info.key_size, info.salt_size, bytes.size());
    }
    std::ranges::copy(bytes, made.bytes_.begin());
    return made;
}

MasterKey MasterKey::random(Suite suite) {
    MasterKey made(info_of(suite));
    if (RAND_bytes(made.bytes_.data(), static_cast<int>(made.key_and_salt().size())) != 1) {
        throw std::runtime_error("OpenSSL has no randomness for a key");
    }
    return made;
}

Result<> check(Suite suite, const IdentifiedKey& key) {
    const auto& info = info_of(suite);
    if (key.master.key().size() != info.key_size || key.master.salt().size() != info.salt_size) {
        return fail("{} has a key of {} and a salt of {} bytes, but this has {} and {}", info.name,
                    info.key_size, info.salt_size, key.master.key().size(),
                    key.master.salt().size());
    }
    if (key.mki.size() > max_mki_size) {
        return fail("a master key identifier of {} bytes is longer than {}", key.mki.size(),
                    max_mki_size);
    }
    return {};
}

}  // namespace strowger::srtp
