#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"
#include "wire/sip/message.hpp"
#include "wire/sip/transmit.hpp"

namespace strowger::sip {

/// A message together with the bytes that it borrows from, and where and when it came.
///
/// Two allocations: this object and its bytes. Shared, because the transaction, the session and the
/// dialplan may each look at the same INVITE for as long as they need; it never changes.
class Received {
public:
    /// Takes a copy. On a request the top Via is stamped first (section 18.2.1, RFC 3581): it gains
    /// `received` when its host is not the source address or it asks for rport, and `rport` when it
    /// asks for it or `force_rport` is set. So whoever answers simply copies the Vias.
    static Result<std::shared_ptr<const Received>> parse(std::string_view bytes, const Flow& flow,
                                                         Time at, bool force_rport);

    const Message& message() const { return message_; }
    const Message* operator->() const { return &message_; }
    const Flow& flow() const { return flow_; }
    Time at() const { return at_; }
    /// Whether the top Via of a request had rport when it came (RFC 3581 section 4).
    bool asked_for_rport() const { return asked_for_rport_; }

    Received(std::string bytes, const Flow& flow, Time at);  ///< for `parse` only
    Received(const Received&) = delete;
    Received& operator=(const Received&) = delete;

private:
    std::string bytes_;
    Message message_;
    Flow flow_;
    Time at_;
    bool asked_for_rport_ = false;
};

using ReceivedPtr = std::shared_ptr<const Received>;

}  // namespace strowger::sip
