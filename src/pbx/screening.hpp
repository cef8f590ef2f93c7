#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/text.hpp"
#include "pbx/core.hpp"
#include "wire/sip/authenticator.hpp"

namespace strowger::pbx {

/// Who sends a request, and can they prove it? Identification in the configured order, access
/// lists, digest. To an outsider an account that does not exist behaves like one with another
/// password.
class Screening {
public:
    explicit Screening(Core& core);

    /// The endpoint of a trunk whose registration gave out that `line` token, or empty.
    using Lines = std::function<std::string_view(std::string_view token)>;
    /// Computes what depends on the configuration; call after each load.
    void configure(const std::shared_ptr<const config::Configuration>& config, Lines lines = {});

    /// The endpoint behind an authentic request. Null when it was not one: then it has been
    /// answered (401, 403) without keeping state.
    std::shared_ptr<const config::Endpoint> screen(const sip::RequestReceived& received);

private:
    const config::Endpoint* identify(const sip::Message& request, const sip::Flow& flow) const;
    const config::Endpoint* by_line(const sip::Message& request) const;
    const config::Endpoint* by_header(const sip::Message& request) const;
    const config::Endpoint* by_request_uri(const sip::Message& request) const;
    const config::Endpoint* by_address(const sip::Flow& flow) const;
    const config::Endpoint* by_username(const sip::Message& request) const;
    const config::Endpoint* by_digest_user(const sip::Message& request) const;
    bool allowed(const config::Endpoint& endpoint, const IpAddress& source) const;
    sip::Authenticator& authenticator(const std::string& realm);
    void challenge(const sip::RequestReceived& received, const std::string& realm, bool stale);
    void refuse(const sip::RequestReceived& received, int status);
    void note_stranger(const sip::Message& request, const sip::Flow& flow);
    void log_failure(const sip::Message& request, const sip::Flow& flow,
                     const config::Endpoint& endpoint);
    void tell(events::Security::What what, const sip::RequestReceived& received,
              std::string_view account, std::string_view detail = {}) const;

    static constexpr std::size_t max_realms =
        1024;  ///< from the configuration; a bound all the same

    Core& core_;
    std::shared_ptr<const config::Configuration> config_;
    sip::Authenticator::Key key_;
    std::vector<sip::Algorithm> algorithms_;
    std::unordered_map<std::string, sip::Authenticator, TextHash, std::equal_to<>> authenticators_;
    std::unordered_map<std::string, const config::Endpoint*, TextHash, std::equal_to<>>
        by_auth_user_;
    std::unordered_map<std::string, std::string, TextHash, std::equal_to<>> domain_aliases_;
    bool names_with_domain_ = false;  ///< some endpoint is called user@domain
    std::string unknown_realm_;
    Lines lines_;
    bool orders_header_ = false, orders_request_uri_ = false;
    /// Sources that named none of our endpoints; a flood of forged ones must not fill memory.
    struct Stranger {
        unsigned count = 0;
        Time since{};
    };
    static constexpr std::size_t max_strangers = 4096;
    std::unordered_map<IpAddress, Stranger> strangers_;
    Time next_prune_{};
    Time next_failure_line_{};
    std::uint64_t failures_unlogged_ = 0;
};

}  // namespace strowger::pbx
