#pragma once

#include <span>
#include <vector>

#include "wire/srtp/sender.hpp"

namespace strowger::srtp {

/// RFC 4568 section 6.1 sets no bound on the keys of one `a=crypto`; two are in use while one is
/// being replaced.
constexpr std::size_t max_keys = 8;

/// The receiving direction of a session (RFC 3711): checks and decrypts in place, for any number of
/// SSRCs up to `max_streams`.
///
/// An SSRC is remembered from its first authentic packet on; forged ones leave nothing behind. The
/// rollover counters and windows of an SSRC are common to all keys of the session (section 3.2.1).
class Receiver {
public:
    /// Several keys must all have identifiers of one length; a packet names its own.
    static Result<Receiver> make(const Policy& policy, std::span<const IdentifiedKey> keys);
    static Result<Receiver> make(const Policy& policy, const IdentifiedKey& key) {
        return make(policy, std::span(&key, 1));
    }

    /// Gives the size of the plain packet at the front. On a fault the bytes may be garbage.
    Size unprotect(MutableBytes packet);
    Size unprotect_rtcp(MutableBytes packet);

    /// For a successor with the same key; what came before the newest packet counts as seen there.
    std::vector<StreamState> states() const;
    bool resume(const StreamState& state);

private:
    struct Stream {
        ReplayWindow<rtp_window> rtp;
        ReplayWindow<rtcp_window> rtcp;
    };

    Receiver() = default;

    std::vector<Transform> keys_;
    StreamTable<Stream> streams_;
};

}  // namespace strowger::srtp
