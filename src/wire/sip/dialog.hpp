#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "wire/sip/builder.hpp"
#include "wire/sip/message.hpp"

namespace strowger::sip {

/// A dialog (RFC 3261 section 12): who talks to whom by which route, and in which order.
///
/// It writes the requests within the dialog and judges those that come; it sends nothing itself.
class Dialog {
public:
    enum class State : std::uint8_t { early, confirmed };

    /// Routes kept at most; a longer Record-Route is refused.
    static constexpr std::size_t max_routes = 32;

    /// Section 12.1.1: from a request that we answer under `local_tag`. Fails without a usable
    /// Contact (code 400).
    static Result<Dialog> as_uas(const Message& request, std::string local_tag);
    /// Section 12.1.2: from a response that has a To tag to a request of ours with that
    /// Request-URI; what else is needed of the request stands in the response again.
    static Result<Dialog> as_uac(const Message& response, std::string_view request_uri);

    State state() const { return state_; }
    void confirm() { state_ = State::confirmed; }

    const std::string& call_id() const { return call_id_; }
    const std::string& local_tag() const { return local_tag_; }
    const std::string& remote_tag() const { return remote_tag_; }
    const std::string& local() const { return local_; }    ///< From of our requests, tag included
    const std::string& remote() const { return remote_; }  ///< To of our requests, tag included
    const std::string& remote_target() const { return remote_target_; }
    const std::vector<std::string>& route_set() const { return route_set_; }  ///< "<sip:..;lr>"
    std::uint32_t local_cseq() const { return local_cseq_; }  ///< of our last request
    std::optional<std::uint32_t> remote_cseq() const { return remote_cseq_; }
    bool initiator() const { return initiator_; }  ///< we sent the request that made it

    /// Whether a request from the other side belongs here (Call-ID and both tags).
    bool matches(const Message& request) const;

    /// Section 12.2.2: takes note of a request's CSeq and, from INVITE, UPDATE and SUBSCRIBE, of
    /// its Contact. Returns 0, or the status to refuse it with: 500 when it is out of order. ACK
    /// and CANCEL are not to be shown.
    int receive_request(const Message& request);
    /// A 2xx to a target refresh request moves the remote target; the first 2xx to the INVITE also
    /// settles the route set (section 13.2.2.4).
    void receive_response(const Message& response);

    /// A request of ours with Request-URI, Route, Max-Forwards, From, To, Call-ID and the next
    /// CSeq, which `local_cseq()` then is. Strict routers are obeyed (section 12.2.1.1).
    Builder request(Method method);
    /// The ACK to the 2xx of the INVITE with that CSeq.
    Builder ack(std::uint32_t invite_cseq) const;
    /// A response with our tag; 101 to 299 to INVITE and SUBSCRIBE also get the Record-Route copied
    /// (section 12.1.1).
    Builder response(const Message& request, int status, std::string_view reason = {}) const;

    /// The URI that the next request of ours must reach first: the top route or the remote target.
    std::string_view next_hop() const;

    /// For a caller that numbers requests outside (a challenged first INVITE).
    void set_local_cseq(std::uint32_t cseq) { local_cseq_ = cseq; }

private:
    Builder start(std::string_view method, std::uint32_t cseq) const;
    void adopt_target(const Message& message);

    State state_ = State::early;
    bool initiator_ = false;
    bool routes_settled_ = false;
    std::string call_id_, local_tag_, remote_tag_, local_, remote_, remote_target_;
    std::vector<std::string> route_set_;
    std::uint32_t local_cseq_ = 0;
    std::optional<std::uint32_t> remote_cseq_;
};

}  // namespace strowger::sip
