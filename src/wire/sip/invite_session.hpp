#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "wire/sip/dialog.hpp"
#include "wire/sip/header_line.hpp"
#include "wire/sip/offer_answer.hpp"
#include "wire/sip/session_event.hpp"
#include "wire/sip/session_timer.hpp"
#include "wire/sip/transaction_layer.hpp"

namespace strowger::sip {

/// One call leg: the INVITE usage of a dialog, from either side, to its end.
///
/// The owner shows it every TransactionEvent that carries its `Config::owner`, every in-dialog
/// request whose To tag is its `local_tag()`, and every ACK with that To tag; calls verbs; and
/// drains `poll`. What is to be sent goes through the TransactionLayer at once. After a final event
/// (Failed, Redirected, Cancelled, Ended) nothing follows; keep the object until `done()`, so that
/// BYEs still underway are answered and late 2xx acknowledged, then destroy it.
///
/// Covered: forks, PRACK (RFC 3262), UPDATE (RFC 3311), session timers (RFC 4028), glare (section
/// 14), delayed offers, repeated 2xx and their ACKs, races of CANCEL and BYE, digest retries.
class InviteSession {
public:
    /// Forks followed at once; further ones are ignored while ringing and hung up if they answer.
    static constexpr std::size_t max_forks = 16;
    /// Requests of ours within the dialog that wait for an answer.
    static constexpr std::size_t max_pending = 32;
    /// Provisional responses that wait until the one before is acknowledged.
    static constexpr std::size_t max_queued_provisionals = 8;
    /// Times that one request is sent again for 422 or 491 before it counts as refused.
    static constexpr int max_retries = 8;

    enum class Reliability : std::uint8_t { never, when_supported, required };

    struct Config {
        OwnerTag owner = 0;
        std::string contact;  ///< Contact value, "<sip:alice@192.0.2.1:5060>"
        std::string product;  ///< User-Agent and Server; none when empty
        std::string allow =
            "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, INFO, REFER, NOTIFY, MESSAGE";
        std::string sent_by;  ///< for the Via of our requests; the flow's local address when empty
        Reliability reliability = Reliability::when_supported;
        SessionTimer::Config timer;
        TransactionTimers timers;
        /// Requests go where the peer's messages come from (phones behind NAT). Otherwise they go
        /// to the route set or Contact: by itself when that names an address, by NextHopChanged
        /// when it names a host.
        bool symmetric = true;
    };

    struct Invite {
        std::string uri;      ///< Request-URI
        std::string from;     ///< name-addr without tag
        std::string to;       ///< name-addr
        std::string call_id;  ///< made up when empty
        std::string sdp;      ///< empty: the callee offers
        HeaderLines extra;    ///< Route, P-Asserted-Identity, Replaces, Referred-By, ...
    };

    /// Called side. `invite` has no To tag and has been authenticated; an INVITE that cannot be
    /// served (420, 421, 422, 400, 415) is refused by itself: an Ended{rejected} waits in `poll`.
    InviteSession(Config config, TransactionLayer& layer, Random& random, TransactionId transaction,
                  ReceivedPtr invite, Time now);
    /// Calling side; `invite` starts it.
    InviteSession(Config config, TransactionLayer& layer, Random& random);
    InviteSession(InviteSession&&) = delete;

    // Input.
    void handle(const TransactionEvent& event, Time now);
    void tick(Time now);
    Time deadline() const;
    bool poll(SessionEvent& event);

    // Calling side.
    Result<> invite(Invite invite, const Flow& flow, Time now);
    /// Gives up; Failed (mostly 487) follows, or Answered and then the BYE went out by itself:
    /// Ended.
    void cancel(const HeaderLines& extra, Time now);

    // Called side.
    /// The SDP of their INVITE, or "" when we are to offer.
    std::string_view offer() const;
    const ReceivedPtr& request() const { return invite_; }
    /// 101 to 199, `sdp` maybe empty; reliably if agreed. 100 is sent by the layer on its own.
    Result<> ring(int status, std::string_view sdp, Time now, const HeaderLines& extra = {});
    /// 200. `sdp` answers their offer, or offers; it is left out if a reliable provisional brought
    /// it. Waits for a PRACK that is still due.
    Result<> accept(std::string_view sdp, Time now, const HeaderLines& extra = {});
    /// 300 to 699; for 3xx put Contact into `extra`.
    Result<> reject(int status, Time now, const HeaderLines& extra = {},
                    std::string_view reason = {});

    // Both sides.
    /// Hangs up whatever the state: BYE, CANCEL, or 480 to an unanswered INVITE; waits for the ACK
    /// where section 15 says so. Ended (or Failed) follows.
    void bye(Time now, const HeaderLines& extra = {});
    /// A new offer, once answered; empty SDP asks them to offer (re-INVITE only). Waits its turn
    /// behind what is open, and through 491. Prefers nothing: `update` needs
    /// `peer_allows(Method::update)`.
    Result<> reinvite(std::string_view sdp, Time now, const HeaderLines& extra = {});
    /// UPDATE with an offer, or without (connected line). Also while ringing, in an early dialog.
    Result<> update(std::string_view sdp, Time now, const HeaderLines& extra = {});
    /// Our answer to a Reoffer or to an offer in Progress or Answered; our offer after
    /// OfferRequested.
    Result<> accept_offer(std::string_view sdp, Time now, const HeaderLines& extra = {});
    void reject_offer(int status, Time now, const HeaderLines& extra = {});
    /// INFO, REFER, NOTIFY, MESSAGE, OPTIONS: the outcome comes as RequestAnswered.
    Result<TransactionId> request(Method method, Time now, const HeaderLines& extra = {},
                                  std::string_view body = {}, std::string_view content_type = {});
    /// The answer to a RequestArrived.
    void answer(TransactionId transaction, int status, Time now, const HeaderLines& extra = {},
                std::string_view reason = {}, std::string_view body = {},
                std::string_view content_type = {});
    /// Sends the challenged request again, with one more header (Authorization or
    /// Proxy-Authorization) and the next CSeq.
    Result<> authenticate(TransactionId request, HeaderId header, std::string value, Time now);
    /// No credentials: the 401 or 407 counts as the final answer.
    void give_up(TransactionId request, Time now);

    /// Where requests of ours go from now on.
    void set_flow(const Flow& flow) { flow_ = flow; }
    void set_contact(std::string contact) { config_.contact = std::move(contact); }

    // What the owner looks at.
    enum class State : std::uint8_t {
        idle,      ///< calling side before `invite`
        calling,   ///< INVITE sent
        incoming,  ///< INVITE came, no final response yet
        accepted,  ///< our 2xx waits for its ACK
        confirmed,
        terminating,  ///< final event raised, something still underway
        done,
    };
    State state() const { return state_; }
    bool done() const { return state_ == State::done; }
    const std::string& call_id() const { return call_id_; }
    const std::string& local_tag() const { return local_tag_; }
    /// The dialog in use, or null before there is one.
    const Dialog* dialog() const;
    /// For Replaces and for finding the session of a request (RFC 3891 section 3).
    bool is_dialog(std::string_view call_id, std::string_view local_tag,
                   std::string_view remote_tag) const;
    bool peer_allows(Method method) const;
    bool peer_supports(std::string_view option) const;
    const Flow& flow() const { return flow_; }

private:
    /// A request of ours that has no final response yet, with what is needed to send it again.
    struct Pending {
        TransactionId transaction;
        Method method = Method::unknown;
        std::uint32_t cseq = 0;
        std::string body, content_type;
        HeaderLines extra;
        HeaderLines credentials;
        int retries = 0;
        int attempts = 0;
        bool offers = false;    ///< carries an offer of ours
        bool internal = false;  ///< a refresh, PRACK or BYE of the session's own: not reported
        bool is_refresh = false;
        std::string fork;
    };
    /// One (early) dialog of our INVITE.
    struct Fork {
        Dialog dialog;
        OfferAnswer offers;
        std::uint32_t last_rseq = 0;
        ReceivedPtr open_offer;  ///< reliable provisional whose offer the owner has yet to answer
        std::string ack;         ///< of its 2xx, to be sent for each copy
        bool losing = false;
    };
    struct Provisional {
        int status = 0;
        std::string sdp;
        HeaderLines extra;
    };

    // The rest is in the .cpp files, one an activity.
    Config config_;
    TransactionLayer& layer_;
    Random& random_;
    State state_ = State::idle;
    ReceivedPtr invite_;
    std::string call_id_, local_tag_;
    Flow flow_;
    std::deque<SessionEvent> events_;
};

}  // namespace strowger::sip
