#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "pbx/channel.hpp"
#include "wire/sip/invite_session.hpp"

namespace strowger::pbx {

/// A leg that speaks SIP: an InviteSession, the party's media in the engine, and the channel that
/// the dialplan sees.
class SipChannel final : public Channel {
public:
    /// How long a phone that transferred its call may take to hang up.
    static constexpr Duration transferor_patience = std::chrono::seconds{4};

    using EndpointPtr = std::shared_ptr<const config::Endpoint>;

    /// From an authenticated INVITE without To tag. Check `hung_up` afterwards: an INVITE that the
    /// session cannot serve has been refused.
    static std::shared_ptr<SipChannel> incoming(Core& core, EndpointPtr endpoint,
                                                const sip::RequestReceived& invite);
    /// A leg to be dialled; `linkedid` is that of the call it belongs to.
    static std::shared_ptr<SipChannel> outgoing(Core& core, EndpointPtr endpoint,
                                                std::string linkedid);
    ~SipChannel() override;

    struct Target {
        std::string uri;
        sip::Flow flow;
        std::vector<std::string> route;  ///< Path of the contact, or the outbound proxy
        std::vector<media::CodecSpec> preferred = {};  ///< of the caller: tried first
        sip::HeaderLines extra = {};
    };
    /// Sends the INVITE. Ringing, Progress, Answered or HungUp follow.
    Task<Result<>> dial(Target target);

    /// Agrees on media with the caller (488 ends the call when there is no common codec).
    Task<bool> accept_media();

    void ring() override;
    Task<Result<>> progress() override;
    Task<Result<>> answer() override;
    void hangup(Cause cause) override;
    void send_digit(char digit, Duration duration) override;
    /// Empty before it is dialled.
    const std::string& call_id() const override {
        return session_ ? session_->call_id() : Channel::call_id();
    }
    std::shared_ptr<const config::Endpoint> endpoint() const override { return endpoint_; }
    std::optional<media::Party> party() const override;
    std::vector<media::CodecSpec> codecs() const override { return offered_codecs_; }
    std::optional<std::string> signalling_field(std::string_view name) const override;
    void connected_line_changed() override;
    Task<Result<int>> transfer_away(std::string target) override;
    Result<> send_text(std::string_view text) override;
    bool on_hold() const override { return on_hold_; }

    /// What the transaction layer has for this leg or its dialog.
    void handle(const sip::TransactionEvent& event);

    const sip::InviteSession& session() const { return *session_; }
    const sip::ReceivedPtr& invite() const { return invite_; }
    /// The newest response to our INVITE; null on the called side.
    const sip::ReceivedPtr& last_response() const { return last_response_; }
    /// The account as this call alone sees it from now on (PJSIP_DTMF_MODE and its like).
    void change_endpoint(const std::function<void(config::Endpoint&)>& change);
    /// A new offer, by UPDATE or re-INVITE.
    Task<Result<>> refresh(bool update, media::Direction direction = media::Direction::sendrecv);
    const std::optional<media::PartyStats>& last_stats() const { return last_stats_; }
    /// Headers for the next INVITE or response that goes out (PJSIP_HEADER(add)).
    sip::HeaderLines extra_headers;
    /// Answers the next final refusal with this status instead of the cause's (Busy, Congestion,
    /// 484).
    std::optional<int> refusal_status;
    /// Its dialplan (if any) has ended: it may go when signalling is done.
    void dialplan_ended();

private:
    SipChannel(Core& core, EndpointPtr endpoint, std::string linkedid);
    void start(std::unique_ptr<sip::InviteSession> session);
    sip::InviteSession::Config session_config(const sip::Flow& flow);
    media::Profile profile() const;
    sip::HeaderLines reason(Cause cause) const;

    void drain();
    Task<> process();
    Task<> on(sip::SessionEvent event);
    Task<> early_media(std::string_view sdp);
    Task<> reoffer(std::string sdp);
    void authenticate(const sip::session::AuthenticationRequired& challenge);
    void request_arrived(const sip::session::RequestArrived& event);
    void info(const sip::session::RequestArrived& event);
    void refer(const sip::session::RequestArrived& event);
    Task<> attended_transfer(sip::session::RequestArrived refer, std::string replaces);
    void notify_refer(std::string_view sipfrag, bool last);
    void arm();
    void finish(Cause cause);
    void say_bye(Cause cause);
    void await_bye(Cause cause);
    Task<> remove_media();
    void maybe_remove();

    EndpointPtr endpoint_;
    std::unique_ptr<sip::InviteSession> session_;
    sip::OwnerTag owner_ = 0;
    sip::ReceivedPtr invite_;
    std::string local_sdp_;
    bool has_media_ = false;
    bool is_caller_ = false;  ///< they called us
    bool rang_ = false;
    bool sent_progress_ = false;
    bool had_early_media_ = false;
    bool delayed_offer_ = false;
    bool on_hold_ = false;
    bool transferred_ = false;  ///< it sent the other side elsewhere (REFER)
    bool draining_ = false;
    bool media_removed_ = false;
    bool removed_ = false;
    std::vector<media::CodecSpec> offered_codecs_;
    std::optional<media::PartyStats> last_stats_;
    std::string target_uri_;
    sip::ReceivedPtr last_response_;
    std::unordered_map<sip::TransactionId, io::Completion<int>>
        awaited_;  ///< statuses of our requests
    io::Timer timer_, bye_timer_;
};

}  // namespace strowger::pbx
