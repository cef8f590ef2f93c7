#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "relay/request.hpp"
#include "wire/sdp/session.hpp"
#include "wire/srtp/sdes.hpp"

namespace strowger::relay {

/// The keys in SDP between us and one party (RFC 4568): what it sent last, and what we sent last.
class Sdes {
public:
    /// More of them in one section is no offer but a burden.
    static constexpr std::size_t max_crypto = 32;

    /// Reads the party's `a=crypto` lines; those of no use to us are left out (section 5.1.2).
    void read(const sdp::Media& media);
    const std::vector<srtp::Crypto>& theirs() const { return theirs_; }
    const std::vector<srtp::Crypto>& ours() const { return ours_; }

    /// Makes what is offered to the party: first what the other party offered, with its own keys
    /// and tags, so that both may have the same; then whatever else is wanted, under keys that stay
    /// as long as the call does.
    void offer(const std::vector<srtp::Crypto>& others, const Request& request);
    /// What the party chose of our offer, and its key; null when it chose nothing.
    const srtp::Crypto* chosen() const;  ///< of `ours`
    const srtp::Crypto* answer() const { return theirs_.empty() ? nullptr : &theirs_.front(); }

    /// Answers the party's offer: takes `tag` of it with that key. Passed through from the other.
    void accept(const srtp::Crypto& of_theirs, const srtp::Crypto& with_key);
    /// Answers with the first of its offer that is not ruled out, and a key of ours. False: none.
    bool accept_first(const Request& request);

    std::vector<std::string> lines(const Request& request) const;
    void clear_ours() { ours_.clear(); }

private:
    void remember(const srtp::Crypto& crypto);
    srtp::Crypto fresh(srtp::Suite suite, std::uint32_t tag, const Request& request) const;

    std::vector<srtp::Crypto> theirs_, ours_;
    std::vector<srtp::Crypto> made_;  ///< by us: a suite keeps its key
};

}  // namespace strowger::relay
