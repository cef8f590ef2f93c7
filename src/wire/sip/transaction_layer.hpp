#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "wire/sip/header_line.hpp"
#include "wire/sip/received.hpp"
#include "wire/sip/transaction_effects.hpp"
#include "wire/sip/transaction_id.hpp"
#include "wire/sip/transaction_table.hpp"
#include "wire/sip/transaction_timers.hpp"
#include "wire/sip/transmit.hpp"

namespace strowger::sip {

/// A new request. Answer it with `respond` or `respond_stateless`, or drop it with `forget`.
struct RequestReceived {
    TransactionId transaction;
    ReceivedPtr request;
};
/// An ACK to a 2xx, or one that fits nothing: find its dialog or drop it. `invite` is set while our
/// 2xx's transaction lives.
struct AckReceived {
    TransactionId invite;
    OwnerTag owner = 0;
    ReceivedPtr ack;
};
/// The INVITE is to be given up; the layer has answered the CANCEL. Answer the INVITE with 487.
struct CancelReceived {
    TransactionId invite;
    OwnerTag owner = 0;
    ReceivedPtr cancel;
};
/// A response, each once but for 2xx to INVITE, whose every copy comes (each wants its ACK).
struct ResponseReceived {
    TransactionId transaction;
    OwnerTag owner = 0;
    ReceivedPtr response;
};
/// No final response came in time (to be treated as a 408). The transaction is gone.
struct ClientTimeout {
    TransactionId transaction;
    OwnerTag owner = 0;
};
/// Our final response was never acknowledged (INVITE), or we never gave one. The transaction is
/// gone.
struct ServerTimeout {
    TransactionId transaction;
    OwnerTag owner = 0;
};
/// The connection of a client transaction broke (to be treated as a 503). The transaction is gone.
struct TransportFailed {
    TransactionId transaction;
    OwnerTag owner = 0;
};

using TransactionEvent =
    std::variant<RequestReceived, AckReceived, CancelReceived, ResponseReceived, ClientTimeout,
                 ServerTimeout, TransportFailed>;

/// All transactions of one signalling shard (RFC 3261 section 17 with RFC 6026), from the bytes of
/// one message to the event it means and back.
///
/// Feed `receive` whole messages (a datagram, or what the stream's framing cut out), call `tick`
/// when `deadline` has come, and after any call drain both polls. Retransmissions, ACKs to
/// failures, answers to CANCEL, 100 after 200 ms and answers to malformed requests happen in here.
class TransactionLayer {
public:
    struct Config {
        TransactionTimers timers;
        /// Transactions at once, both sides. Beyond it new requests are answered 503 without state
        /// and `send_request` fails. One costs about 0.5 KiB and its last message.
        std::size_t max_transactions = 200'000;
        /// Answer over UDP where the request came from even if its Via did not ask (RFC 3581).
        bool force_rport = true;
        /// Server header of the answers that the layer makes itself; none when empty.
        std::string server;
    };

    struct Counters {
        std::uint64_t requests = 0;
        std::uint64_t responses = 0;
        std::uint64_t retransmissions_received = 0;
        std::uint64_t retransmissions_sent = 0;
        std::uint64_t malformed = 0;        ///< unparsable, answered or not
        std::uint64_t stray_responses = 0;  ///< fitting no transaction; dropped
        std::uint64_t stray_cancels = 0;    ///< answered 481
        std::uint64_t refused_full = 0;     ///< answered 503
        std::uint64_t merged = 0;           ///< answered 482
        std::uint64_t timeouts = 0;
    };

    TransactionLayer(Config config, Random& random);
    TransactionLayer(const TransactionLayer&) = delete;
    TransactionLayer& operator=(const TransactionLayer&) = delete;

    /// One message. Keep-alives (CRLFs, or nothing) are ignored.
    void receive(const Flow& flow, std::string_view message, Time now);
    void tick(Time now);
    Time deadline() const;  ///< `Time::max()` when no timer runs
    bool poll(Transmit& transmit);
    bool poll(TransactionEvent& event);

    /// Sends a request (no ACK, no CANCEL) that has no Via yet: the layer puts one on top with a
    /// new branch and rport. `sent_by` ("host" or "host:port") defaults to `flow.local`; give the
    /// external address where the peer is beyond our NAT. Fails when the layer is full or the text
    /// is no request.
    Result<TransactionId> send_request(std::string request, const Flow& flow, Time now,
                                       OwnerTag owner = 0, std::string_view sent_by = {});
    /// As above without a transaction: the ACK to a 2xx, which the dialog repeats itself.
    void send_stateless(std::string request, const Flow& flow, std::string_view sent_by = {});
    /// Puts the Via on an ACK to a 2xx now, so that the same bytes can be sent for each copy of it.
    std::string with_via(std::string request, const Flow& flow, std::string_view sent_by = {});
    /// Sends bytes as they are.
    void send_raw(std::string bytes, const Flow& flow);

    /// A response to a RequestReceived. Provisional ones as often as wanted, then one final; copies
    /// of a 2xx to INVITE are the caller's to repeat (section 13.3.1.4). False when the transaction
    /// is gone or has answered already.
    bool respond(TransactionId server, std::string response, Time now);
    /// Answers and forgets, so that a flood that we challenge or reject leaves nothing behind. A
    /// copy of the request will come up as a new one, and so be answered again (section 8.2.7).
    bool respond_stateless(TransactionId server, std::string response);
    /// Answers of this one go where the Via says (RFC 3261 section 18.2.2) unless it asked for
    /// rport, whatever `force_rport` is.
    void answer_by_via(TransactionId server, const Received& request);
    /// No answer at all.
    void forget(TransactionId server);

    /// Asks to give up an INVITE: the CANCEL goes out now, or as soon as a provisional response
    /// allows it (section 9.1); nothing once a final one came. The outcome arrives as usual: mostly
    /// a 487, perhaps a 2xx that crossed, a ClientTimeout if nothing comes.
    void cancel(TransactionId invite_client, Time now, const HeaderLines& extra = {});

    /// The dialog of a re-INVITE has ended before its final response, which so may never come
    /// (section 15): the transaction ends after 64*T1 at the latest.
    void abandon(TransactionId invite_client, Time now);

    void set_owner(TransactionId transaction, OwnerTag owner);
    OwnerTag owner(TransactionId transaction) const;
    bool exists(TransactionId transaction) const;
    /// Where responses of a server transaction go, or requests of a client transaction went.
    std::optional<Flow> flow(TransactionId transaction) const;

    /// The stream connection broke: its client transactions end with TransportFailed; answers of
    /// its server transactions go out with flow id 0, so that the owner may open a new one or drop
    /// them.
    void transport_failed(std::uint64_t flow_id);

    const TransactionTimers& timers() const { return config_.timers; }
    std::size_t size() const { return table_.size(); }
    const Counters& counters() const { return counters_; }

private:
    void receive_request(const ReceivedPtr& request, Time now);
    bool refuse_merged(const Received& request);
    void receive_ack(const ReceivedPtr& ack, Time now);
    void receive_cancel(const ReceivedPtr& cancel, TransactionId transaction, Time now);
    void receive_response(const ReceivedPtr& response, Time now);
    void refuse_malformed(const Flow& flow, std::string_view message, const Error& error);
    /// Does what a machine asked for.
    void apply(TransactionId id, Effect effects);
    void send(const Transaction& transaction);
    void send_ack(const Transaction& transaction, const Message& response);
    void send_cancel(TransactionId invite, const HeaderLines& extra, Time now);
    std::string cancel_answer(const Message& cancel, const Transaction* invite, int status);
    Flow response_flow(const Received& request, bool force_rport) const;
    std::string_view server_key(const Message& request, std::string_view method);
    std::string_view identity_of(const Message& request);
    std::string_view client_key(std::string_view branch, std::string_view method);

    Config config_;
    Random& random_;
    Counters counters_;
    TransactionTable table_;
    std::string key_;  ///< where keys are put together, kept for its capacity
    std::deque<Transmit> transmits_;
    std::deque<TransactionEvent> events_;
};

}  // namespace strowger::sip
