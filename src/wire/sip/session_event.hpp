#pragma once

#include <string>
#include <variant>

#include "wire/sip/received.hpp"
#include "wire/sip/transaction_layer.hpp"

/// What an InviteSession tells its owner. SDP views live as long as the message beside them.
namespace strowger::sip::session {

// Setting up, caller's side.

/// A provisional response from 101 up. `to_tag` tells forks apart.
struct Progress {
    int status = 0;
    std::string_view sdp;   ///< empty when it has none
    bool reliable = false;  ///< 100rel; acknowledged already unless `is_offer`
    bool is_offer = false;  ///< our INVITE had no SDP: answer with accept_offer
    std::string to_tag;
    ReceivedPtr response;
};
/// 2xx. Acknowledged already unless `is_offer`. `sdp` is empty when a reliable provisional response
/// from the same fork had brought the answer.
struct Answered {
    std::string_view sdp;
    bool is_offer = false;
    std::string to_tag;
    ReceivedPtr response;
};
/// The INVITE came to nothing: the session is over.
struct Failed {
    int status = 0;  ///< 408 on timeout, 503 on a broken connection; then `response` is null
    std::string reason;
    ReceivedPtr response;
};
/// 3xx: `response` has the Contacts. The session is over; start another towards them.
struct Redirected {
    int status = 0;
    ReceivedPtr response;
};
/// 401 or 407 to any request of ours. Answer `authenticate(request, ...)` or `give_up(request)`.
struct AuthenticationRequired {
    TransactionId request;
    Method method = Method::unknown;
    std::string uri;   ///< the Request-URI, for the digest
    std::string body;  ///< for auth-int
    int attempt = 1;   ///< 1 at first: the owner decides when it is enough
    ReceivedPtr response;
};

// Setting up, called side.

/// They gave up, or left, before we answered. 487 has been sent. The session is over.
struct Cancelled {
    ReceivedPtr cause;  ///< CANCEL or BYE (for its Reason), null when the connection broke
};
/// Our 2xx or reliable response reached them.
struct Acknowledged {};

// Offers and answers once more.

/// They offer: answer with accept_offer or reject_offer. Also raised for the offer in a PRACK.
struct Reoffer {
    std::string_view sdp;
    Method method = Method::unknown;  ///< invite, update, prack
    ReceivedPtr request;
};
/// A re-INVITE without SDP: call accept_offer with an offer of ours.
struct OfferRequested {
    ReceivedPtr request;
};
/// Their answer to an offer of ours in a re-INVITE, UPDATE, 2xx (then in the ACK), or 1xx (PRACK).
struct OfferAnswered {
    std::string_view sdp;
    ReceivedPtr message;
};
/// An UPDATE without SDP came and was answered: a session refresh, or a new identity in its
/// headers.
struct Updated {
    ReceivedPtr request;
};
/// Our re-INVITE or UPDATE was refused; the session goes on as it was.
struct OfferRejected {
    int status = 0;
    ReceivedPtr response;
};

// Within the dialog.

/// INFO, REFER, NOTIFY, MESSAGE, OPTIONS, SUBSCRIBE or an unknown method: answer with `answer`.
struct RequestArrived {
    TransactionId transaction;
    Method method = Method::unknown;
    ReceivedPtr request;
};
/// The final response to a `request(...)` of ours.
struct RequestAnswered {
    TransactionId transaction;
    Method method = Method::unknown;
    int status = 0;  ///< 408, 503 as in Failed
    ReceivedPtr response;
};
/// Requests of ours now start at another hop: resolve it and `set_flow`, if it is not where we
/// send.
struct NextHopChanged {
    std::string uri;
};
enum class EndCause : std::uint8_t {
    local_bye,
    remote_bye,
    session_expired,  ///< RFC 4028; BYE has been sent
    no_ack,           ///< our 2xx was never acknowledged; BYE has been sent
    no_prack,         ///< our reliable provisional was never acknowledged; 504 has been sent
    dialog_lost,      ///< 481 or 408 within the dialog
    rejected,         ///< we refused their INVITE
};
struct Ended {
    EndCause cause = EndCause::local_bye;
    ReceivedPtr message;  ///< the BYE (for its Reason), or null
};

}  // namespace strowger::sip::session

namespace strowger::sip {

using SessionEvent =
    std::variant<session::Progress, session::Answered, session::Failed, session::Redirected,
                 session::AuthenticationRequired, session::Cancelled, session::Acknowledged,
                 session::Reoffer, session::OfferRequested, session::OfferAnswered,
                 session::OfferRejected, session::Updated, session::RequestArrived,
                 session::RequestAnswered, session::NextHopChanged, session::Ended>;

}  // namespace strowger::sip
