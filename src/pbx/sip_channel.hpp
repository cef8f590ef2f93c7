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
    /// How long a phone is told what comes of its REFER.
    static constexpr Duration referral_lifetime = std::chrono::minutes{3};

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
        std::vector<sip::Flow> others = {};  ///< servers to try when that one fails
        std::vector<std::string> route;      ///< Path of the contact, or the outbound proxy
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
    bool wants_digits_signalled() const override { return is_up() && sends_info(); }
    /// Empty before it is dialled: a subroutine may run on it then (Dial's option b).
    const std::string& call_id() const override {
        return session_ ? session_->call_id() : Channel::call_id();
    }
    std::shared_ptr<const config::Endpoint> endpoint() const override { return endpoint_; }
    std::optional<media::Party> party() const override;
    std::vector<media::CodecSpec> codecs() const override;
    Task<> match(std::vector<media::CodecSpec> codecs) override;
    std::optional<std::string> signalling_field(std::string_view name) const override;
    void connected_line_changed() override;
    void call_forwarded() override;
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
    /// A new offer with the sections beside the audio that somebody who speaks `codecs` can have.
    /// False: it was refused, or not answered in time, and all is as before.
    Task<bool> offer_streams(std::vector<media::CodecSpec> codecs);
    /// How long a new section waits for the other party's answer: phones ask nobody about it.
    static constexpr Duration stream_patience = std::chrono::seconds{5};
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

    // sip_channel_identity.cpp: who calls, who answers, and who sent the call here.
    void learn_caller(const sip::Message& invite);
    bool learn_party(const sip::Message& message);
    void learn_redirecting(const sip::Message& message);
    std::string address_of(const PartyId& id, std::string_view host) const;
    std::string from_header(std::string_view host) const;
    sip::HeaderLines identity(const PartyId& id, std::string_view host,
                              std::string_view party) const;
    sip::HeaderLines diversion(std::string_view host) const;
    sip::HeaderLines response_headers() const;
    void party_changed(const sip::Message& message);

    bool send_invite(const sip::Flow& flow);
    bool try_next_server(const sip::session::Failed& failed);

    void drain();
    Task<> process();
    Task<> on(sip::SessionEvent event);
    Task<> early_media(std::string_view sdp);
    Task<> reoffer(std::string sdp);
    // sip_channel_streams.cpp: sections beside the audio.
    Task<std::optional<std::vector<media::CodecSpec>>> ask_peer(std::string_view offer);
    void streams_agreed(std::string_view sdp);
    void remember_kinds(std::string_view offer);
    void offer_settled(bool accepted);
    bool pass_media_control(const sip::session::RequestArrived& event);
    void authenticate(const sip::session::AuthenticationRequired& challenge);
    void request_arrived(const sip::session::RequestArrived& event);
    // sip_channel_digits.cpp.
    void info(const sip::session::RequestArrived& event);
    void digit_by_info(const sip::session::RequestArrived& event, std::string_view signal,
                       unsigned milliseconds);
    bool sends_info() const;
    void refer(const sip::session::RequestArrived& event);
    Task<> attended_transfer(sip::session::RequestArrived refer, std::string replaces);
    void subscribe(const sip::session::RequestArrived& event);
    void accept_referral(const sip::session::RequestArrived& refer);
    void transfer_peer(const sip::session::RequestArrived& refer, dialplan::Position target);
    /// Of a member of a conference: goes, and has somebody brought in.
    void leave_to_guest(const sip::session::RequestArrived& refer, dialplan::Position target);
    void notify_refer(int status, std::string_view end_reason = "noresource");
    Duration referral_left() const;
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
    bool has_events_ = false;   ///< telephone-event was agreed on
    bool transferred_ = false;  ///< it sent the other side elsewhere (REFER)
    /// The subscription that its REFER made; nothing when there is none, or it has ended.
    struct Referral {
        std::string event;
        int told = 0;
        Time until{};
    };
    std::optional<Referral> referral_;
    unsigned referrals_ = 0;
    bool draining_ = false;
    bool media_removed_ = false;
    bool removed_ = false;
    std::vector<media::CodecSpec> offered_codecs_;
    std::vector<media::CodecSpec> streams_;   ///< agreed on, of the sections beside the audio
    std::vector<std::string> offered_kinds_;  ///< of the party's last offer, beside the audio
    std::optional<io::Completion<bool>> offer_outcome_;  ///< somebody is in offer_streams
    std::optional<media::PartyStats> last_stats_;
    std::string target_uri_;
    sip::InviteSession::Invite invitation_;  ///< of a leg that we dial
    std::vector<sip::Flow> other_servers_;   ///< not tried yet
    std::string early_tag_;                  ///< To tag of the fork whose early media is heard
    sip::ReceivedPtr last_response_;
    std::unordered_map<sip::TransactionId, io::Completion<int>>
        awaited_;  ///< statuses of our requests
    io::Timer timer_, bye_timer_, referral_timer_;
};

}  // namespace strowger::pbx
