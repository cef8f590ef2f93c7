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
/// (Failed, Redirected, Cancelled, Ended) nothing follows but an AuthenticationRequired for our
/// BYE; keep the object until `done()`, then destroy it.
///
/// Covered: forks, PRACK (RFC 3262), UPDATE (RFC 3311), session timers (RFC 4028), glare (section
/// 14), delayed offers, repeated 2xx and their ACKs, races of CANCEL and BYE, digest retries.
class InviteSession {
public:
    /// Forks followed at once; further ones are ignored while ringing and hung up if they answer.
    static constexpr std::size_t max_forks = 16;
    /// Offers of ours that wait for their turn.
    static constexpr std::size_t max_waiting_offers = 4;
    /// ACKs kept for copies of their 2xx.
    static constexpr std::size_t max_kept_acks = 8;
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
        bool norefersub = true;  ///< say that REFER without its subscription is understood
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
    /// INFO, REFER, NOTIFY, MESSAGE, OPTIONS: the outcome comes as RequestAnswered. A NOTIFY may
    /// still be sent when the call is over: the subscription of a REFER outlives it (RFC 5057
    /// section 4.1).
    Result<TransactionId> request(Method method, Time now, const HeaderLines& extra = {},
                                  std::string_view body = {}, std::string_view content_type = {});
    /// The answer to a RequestArrived.
    void answer(const session::RequestArrived& request, int status, Time now,
                const HeaderLines& extra = {}, std::string_view reason = {},
                std::string_view body = {}, std::string_view content_type = {});
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
        std::size_t fork = 0;
        std::string body, content_type;
        HeaderLines extra;
        HeaderLines credentials;
        int retries = 0;        ///< for 422 and 491
        int challenges = 0;     ///< 401 and 407 so far
        bool offers = false;    ///< carries an offer of ours
        bool refresh = false;   ///< for the session timer only
        ReceivedPtr challenge;  ///< 401 or 407: waits for `authenticate` or `give_up`
    };
    /// One (early) dialog. The called side has one, the calling side one a fork.
    struct Fork {
        Dialog dialog;
        OfferAnswer offers;
        std::uint32_t last_rseq = 0;
        ReceivedPtr open_offer;  ///< 1xx, 2xx or request whose offer the owner has yet to answer
    };
    /// An ACK that we sent, to be sent again for each copy of its 2xx.
    struct SentAck {
        std::uint32_t cseq = 0;
        std::string to_tag;
        std::string bytes;
        Flow flow;
    };
    struct Provisional {
        int status = 0;
        std::string sdp;
        HeaderLines extra;
    };
    /// A response that we repeat until it is acknowledged: reliable 1xx, or 2xx.
    struct Unacknowledged {
        TransactionId transaction;
        std::string bytes;
        std::uint32_t number = 0;  ///< RSeq of a 1xx, CSeq of a 2xx
        bool offers = false;       ///< carries an offer of ours
        Duration interval{};
        Time repeat_at = Time::max();
        Time give_up_at = Time::max();
    };
    /// A request of theirs that the owner has yet to answer with `accept_offer`.
    struct Reoffered {
        TransactionId transaction;
        ReceivedPtr request;
        bool we_offer = false;  ///< a re-INVITE without SDP
    };
    struct Offer {
        Method method = Method::invite;
        std::string sdp;
        HeaderLines extra;
        int retries = 0;
        bool refresh = false;
    };

    static constexpr std::size_t tag_length = 16;
    static constexpr std::size_t call_id_length = 24;
    /// Options of a peer that are remembered, as text; the known ones take 60 bytes.
    static constexpr std::size_t max_options_size = 512;
    static constexpr Duration provisional_interval = std::chrono::minutes{1};

    // invite_session.cpp: what is common.
    template <typename Event>
    void raise(Event event) {
        events_.push_back(std::move(event));
    }
    void finish(session::Ended ended, Time now);
    void terminate(Time now);
    void settle();
    Fork* active();
    const Fork* active() const;
    Pending* find_pending(TransactionId transaction);
    void drop_pending(TransactionId transaction);
    void learn_peer(const Message& message);
    void follow(const ReceivedPtr& received);
    void reroute();
    void add_capabilities(Builder& builder) const;
    std::string challenge_uri(const Pending& pending) const;
    void repeat_unacknowledged(Time now);
    std::string finish_message(Builder builder, bool is_request, const HeaderLines& extra,
                               std::string_view body, std::string_view content_type) const;
    std::string supported() const;
    void hang_up(session::EndCause cause, const HeaderLines& extra, Time now);
    void send_bye(const HeaderLines& extra, Time now);
    void fail_pending(Pending pending, int status, const ReceivedPtr& response, Time now);
    void receive_response(TransactionId transaction, const ReceivedPtr& response, Time now);
    void receive_failure(TransactionId transaction, int status, Time now);

    // caller.cpp: the INVITE that we sent.
    Result<> send_invite(Pending pending, Time now);
    void invite_answered(Pending& pending, const ReceivedPtr& response, Time now);
    void invite_progress(const ReceivedPtr& response, Time now);
    void invite_accepted(Pending answered, const ReceivedPtr& response, Time now);
    void invite_failed(int status, const ReceivedPtr& response, Time now);
    std::optional<std::size_t> fork_for(const Message& response);
    void send_prack(std::size_t fork, const Message& response, std::string_view sdp, Time now);
    void send_ack(std::size_t fork, std::uint32_t cseq, const HeaderLines& credentials,
                  std::string_view sdp);
    void hang_up_fork(const ReceivedPtr& response, Time now);
    bool repeat_ack(const Message& response);

    // callee.cpp: the INVITE that we got.
    void refuse(int status, Time now, const HeaderLines& extra = {}, std::string_view reason = {});
    Provisional judge_invite(const Message& invite) const;
    Provisional judge_timer(const Message& request) const;
    Unacknowledged wait_for_ack(std::string bytes, std::uint32_t number, bool offers,
                                Time now) const;
    bool agrees_to_reliability() const;
    void send_provisional(Provisional provisional, bool reliable, Time now);
    void send_success(Provisional answer, Time now);
    void acknowledged(const ReceivedPtr& ack, Time now);
    void provisional_acknowledged(Time now);
    void answer_cancelled(const ReceivedPtr& cause, Time now);

    // mid_dialog.cpp: requests either way once there is a dialog.
    Result<TransactionId> send_in_dialog(Pending pending, Time now);
    void mid_dialog_answered(Pending pending, const ReceivedPtr& response, Time now);
    void reinvite_answered(Pending& pending, const ReceivedPtr& response, Time now);
    void receive_request(TransactionId transaction, const ReceivedPtr& request, Time now);
    void receive_bye(TransactionId transaction, const ReceivedPtr& bye, Time now);
    void receive_prack(TransactionId transaction, const ReceivedPtr& prack, Time now);
    void receive_offer(TransactionId transaction, const ReceivedPtr& request, Time now);
    void respond(TransactionId transaction, const Message& request, int status, Time now,
                 const HeaderLines& extra = {}, std::string_view body = {},
                 std::string_view content_type = {}, std::string_view reason = {});
    void mid_dialog_failed(Pending pending, int status, const ReceivedPtr& response, Time now);
    int refuse_offer(const Message& request) const;
    void cancel_reoffer(Time now);
    void add_timer(Builder& request) const;
    void accept_timer(Builder& response, const Message& request, Time now);
    void accept_request(const Reoffered& reoffer, std::string_view sdp, const HeaderLines& extra,
                        Time now);
    Result<> offer(Offer offer, Time now);
    bool may_offer(Method method) const;
    void send_waiting_offer(Time now);
    void refresh(Time now);
    void retry_after_glare(const Pending& pending, Time now);

    Config config_;
    TransactionLayer& layer_;
    Random& random_;
    SessionTimer timer_;
    State state_ = State::idle;
    bool caller_ = false;
    bool cancelled_ = false;
    Flow flow_;
    std::string call_id_, local_tag_, next_hop_;
    std::uint32_t cseq_ = 0;  ///< of the last INVITE outside a dialog

    std::vector<Fork> forks_;
    std::size_t active_ = 0;  ///< the fork that answered, or was heard last
    std::vector<Pending> pending_;
    std::deque<SentAck> acks_;
    TransactionId invite_transaction_;       ///< the first INVITE's, either side
    std::optional<Pending> unacked_answer_;  ///< our INVITE, while its 2xx waits for our SDP

    std::optional<Invite> invitation_;

    ReceivedPtr invite_;
    std::uint32_t rseq_ = 0;
    std::optional<Unacknowledged> provisional_, success_;
    std::deque<Provisional> waiting_provisionals_;
    std::optional<Provisional> waiting_success_;
    std::string last_provisional_;
    Time repeat_provisional_at_ = Time::max();

    std::optional<Reoffered> reoffered_;
    std::deque<Offer> waiting_offers_;
    Time retry_offer_at_ = Time::max();
    std::optional<HeaderLines> bye_later_;
    std::string local_sdp_;  ///< the last that we sent, for refreshing re-INVITEs

    std::uint32_t peer_allow_ = 0;  ///< a bit for each Method
    std::string peer_supported_;    ///< ",100rel,timer,"
    std::deque<SessionEvent> events_;
};

}  // namespace strowger::sip
