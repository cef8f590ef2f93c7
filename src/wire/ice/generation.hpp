#pragma once

#include <string>

#include "wire/ice/credentials.hpp"
#include "wire/stun/integrity.hpp"

namespace strowger::ice {

/// What both sides authenticate with between two ICE restarts.
struct Generation {
    Credentials local, remote;
    stun::IntegrityKey local_key;   ///< of checks that come and of our answers to them
    stun::IntegrityKey remote_key;  ///< of our checks and the answers to them
    std::string username;           ///< of our checks: "theirs:ours" (RFC 8445 section 7.1.2)

    explicit Generation(Credentials own)
        : local(std::move(own)), local_key(stun::IntegrityKey::short_term(local.pwd)) {}

    void set_remote(Credentials theirs) {
        remote = std::move(theirs);
        remote_key = stun::IntegrityKey::short_term(remote.pwd);
        username = remote.ufrag + ':' + local.ufrag;
    }
    bool knows_remote() const { return !remote.empty(); }
};

}  // namespace strowger::ice
