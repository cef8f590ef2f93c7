#include "pbx/config/registration.hpp"

#include "pbx/config/schemas.hpp"

namespace strowger::pbx::config {

const Schema<Registration>& registration_schema() {
    using R = Registration;
    static constexpr unsigned longest = 2'000'000'000;
    static const auto schema =
        Schema<R>()
            .text("server_uri", &R::server_uri)
            .text("client_uri", &R::client_uri)
            .text("contact_user", &R::contact_user)
            .list("outbound_auth", &R::outbound_auth)
            .text("outbound_proxy", &R::outbound_proxy)
            .text("transport", &R::transport)
            .number("expiration", &R::expiration, 1u, longest)
            .number("retry_interval", &R::retry_interval, 0u, longest)
            .number("max_retries", &R::max_retries, 0u, longest)
            .number("fatal_retry_interval", &R::fatal_retry_interval, 0u, longest)
            .number("forbidden_retry_interval", &R::forbidden_retry_interval, 0u, longest)
            .boolean("auth_rejection_permanent", &R::auth_rejection_permanent)
            .number("max_random_initial_delay", &R::max_random_initial_delay, 0u, 86400u)
            .boolean("line", &R::line)
            .text("endpoint", &R::endpoint)
            .boolean("support_path", &R::support_path)
            .boolean("support_outbound", &R::support_outbound)
            .text("contact_header_params", &R::contact_header_params)
            .text("user_agent", &R::user_agent)
            .ignore({"security_negotiation", "security_mechanisms"});
    return schema;
}

}  // namespace strowger::pbx::config
