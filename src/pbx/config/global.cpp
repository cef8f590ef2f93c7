#include "pbx/config/global.hpp"

#include "pbx/config/schemas.hpp"

namespace strowger::pbx::config {

const Schema<Global>& global_schema() {
    using G = Global;
    static constexpr unsigned day = 86400;
    static const auto schema =
        Schema<G>()
            .text("user_agent", &G::user_agent)
            .text("default_realm", &G::default_realm)
            .text("default_from_user", &G::default_from_user)
            .number("max_forwards", &G::max_forwards, 1u, 255u)
            .number("keep_alive_interval", &G::keep_alive_interval, 0u, day)
            .list("endpoint_identifier_order", &G::endpoint_identifier_order)
            .number("max_initial_qualify_time", &G::max_initial_qualify_time, 0u, day)
            .number("contact_expiration_check_interval", &G::contact_expiration_check_interval, 1u,
                    day)
            .number("unidentified_request_count", &G::unidentified_request_count, 1u, 1'000'000u)
            .number("unidentified_request_period", &G::unidentified_request_period, 0u, day)
            .number("unidentified_request_prune_interval", &G::unidentified_request_prune_interval,
                    0u, day)
            .text("debug", &G::debug)
            .boolean("ignore_uri_user_options", &G::ignore_uri_user_options)
            .boolean("norefersub", &G::norefersub)
            .boolean("use_callerid_contact", &G::use_callerid_contact)
            .boolean("send_contact_status_on_update_registration",
                     &G::send_contact_status_on_update_registration)
            .boolean("mwi_disable_initial_unsolicited", &G::mwi_disable_initial_unsolicited)
            .text("regcontext", &G::regcontext)
            .text("default_voicemail_extension", &G::default_voicemail_extension)
            .text("default_outbound_endpoint", &G::default_outbound_endpoint)
            .boolean("disable_multi_domain", &G::disable_multi_domain)
            .boolean("allow_sending_180_after_183", &G::allow_sending_180_after_183)
            .boolean("all_codecs_on_empty_reinvite", &G::all_codecs_on_empty_reinvite)
            .ignore({"mwi_tps_queue_high", "mwi_tps_queue_low", "taskprocessor_overload_trigger",
                     "default_auth_algorithms_uas", "default_auth_algorithms_uac"});
    return schema;
}

const Schema<System>& system_schema() {
    using S = System;
    static const auto schema =
        Schema<S>()
            .number("timer_t1", &S::timer_t1, 10u, 60'000u)
            .number("timer_b", &S::timer_b, 640u, 3'600'000u)
            .boolean("compact_headers", &S::compact_headers)
            .boolean("disable_tcp_switch", &S::disable_tcp_switch)
            .boolean("disable_rport", &S::disable_rport)
            .boolean("follow_early_media_fork", &S::follow_early_media_fork)
            .boolean("accept_multiple_sdp_answers", &S::accept_multiple_sdp_answers)
            .number("threadpool_initial_size", &S::threadpool_initial_size, 0u, 10'000u)
            .number("threadpool_auto_increment", &S::threadpool_auto_increment, 0u, 10'000u)
            .number("threadpool_idle_timeout", &S::threadpool_idle_timeout, 0u, 1'000'000u)
            .number("threadpool_max_size", &S::threadpool_max_size, 0u, 10'000u);
    return schema;
}

const Schema<DomainAlias>& domain_alias_schema() {
    static const auto schema = Schema<DomainAlias>().text("domain", &DomainAlias::domain);
    return schema;
}

}  // namespace strowger::pbx::config
