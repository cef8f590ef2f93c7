#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/completion.hpp"
#include "pbx/core.hpp"

namespace strowger::pbx {

/// One `type=registration`: registers, refreshes in time, tries again after failures, and says in
/// the log and to whoever asks why it is not registered.
///
/// Servers are tried in the order of RFC 3263; one that gives no answer, or 503, is followed by the
/// next before the attempt counts as failed. Then the object's intervals decide: `retry_interval`
/// after what may pass, `forbidden_retry_interval` after 403, `fatal_retry_interval` after any
/// other refusal, and no further attempt where that is 0 or `max_retries` are used up.
class RegistrationClient : public std::enable_shared_from_this<RegistrationClient> {
public:
    enum class Status : std::uint8_t {
        unregistered,
        registered,
        rejected,  ///< the last answer was a refusal
        stopped,   ///< nothing more is tried until somebody asks for it
    };

    /// A registrar may not put us off for longer (Retry-After), nor make us ask more often
    /// (Expires).
    static constexpr Duration longest_retry_after = std::chrono::hours{1};
    static constexpr std::uint32_t shortest_expiry = 5;

    static std::shared_ptr<RegistrationClient> create(Core& core,
                                                      const config::Registration& settings);
    ~RegistrationClient();

    /// Everything that it depends on, as text: equal when a reload need not disturb it.
    static std::string fingerprint(const config::Configuration& config,
                                   const config::Registration& settings);
    const std::string& fingerprint() const { return fingerprint_; }

    /// The first attempt, after a delay by chance of at most `max_random_initial_delay`.
    void start();
    void register_now();
    /// Takes it back if it is there; `busy` until that is answered.
    void unregister();
    /// Ends what is under way without another message.
    void abandon();
    bool busy() const { return taking_back_; }
    void flow_closed(std::uint64_t flow);

    const config::Registration& settings() const { return settings_; }
    const std::string& line() const { return line_; }
    Status status() const { return status_; }
    std::string status_text() const;
    const std::string& detail() const { return detail_; }

private:
    struct Reply {
        sip::ReceivedPtr response;  ///< null: none came
        std::string why;
    };
    enum class Failure { temporary, forbidden, fatal };

    RegistrationClient(Core& core, const config::Registration& settings);
    void attempt(std::uint32_t expires);
    Task<> run(std::uint32_t expires, std::uint64_t generation);
    Task<Reply> exchange(sip::Flow flow, std::uint32_t expires);
    std::string request(const sip::Flow& flow, std::uint32_t expires,
                        const sip::HeaderLines& extra);
    std::string contact_uri(const sip::Flow& flow) const;
    void handle(const sip::TransactionEvent& event);
    void conclude(const sip::Flow& flow, const sip::Message& response, std::uint32_t asked);
    void accepted(const sip::Flow& flow, const sip::Message& response, std::uint32_t asked);
    void failed(Failure failure, std::string why, Duration retry_after = {});
    std::uint32_t granted(const sip::Flow& flow, const sip::Message& response,
                          std::uint32_t asked) const;
    log::About about() const { return {"pbx", {}, settings_.name}; }

    Core& core_;
    const config::Registration settings_;
    std::string fingerprint_;
    sip::OwnerTag owner_ = 0;
    std::string call_id_, from_tag_, line_;
    std::uint32_t cseq_ = 0;
    Status status_ = Status::unregistered;
    std::string detail_ = "not tried yet";
    bool answered_with_credentials_ = false;  ///< in the exchange under way
    bool taking_back_ = false;
    unsigned failures_ = 0;  ///< since it was last registered
    std::uint64_t generation_ = 0;
    Time expires_at_{};
    Time next_try_ = Time::max();
    sip::Flow flow_;  ///< over which it is registered
    io::Timer timer_;
    sip::TransactionId transaction_;
    std::optional<io::Completion<Reply>> waiting_;
};

}  // namespace strowger::pbx
