#include "pbx/message_waiting.hpp"

#include "pbx/next_hop.hpp"
#include "pbx/outside_request.hpp"
#include "pbx/own_address.hpp"
#include "pbx/state_document.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::pbx {

Task<> tell_of_messages(Core& core, std::shared_ptr<const config::Endpoint> endpoint,
                        Contact contact, MailboxCount count) {
    // The answer to its REGISTER goes first.
    co_await core.loop.sleep(std::chrono::microseconds{1});
    auto target =
        co_await contact_target(core, contact, endpoint->outbound_proxy, endpoint->transport);
    if (!target) {
        LOG_VERBOSE((log::About{"pbx", {}, endpoint->name}), "message waiting: {}",
                    target.error().text());
        co_return;
    }
    const auto host =
        endpoint->from_domain.empty() ? target->flow.local.ip.host_text() : endpoint->from_domain;
    auto user = !endpoint->mwi_from_user.empty() ? endpoint->mwi_from_user : endpoint->from_user;
    if (user.empty()) user = core.config->global.default_from_user;
    const auto& extension = !endpoint->voicemail_extension.empty()
                                ? endpoint->voicemail_extension
                                : core.config->global.default_voicemail_extension;
    OutsideRequest request;
    request.method = "NOTIFY";
    request.uri = target->uri;
    request.flow = target->flow;
    request.others = std::move(target->others);
    request.route = std::move(target->route);
    request.from = fmt::format("<sip:{}@{}>", sip::escape_user(user), host);
    request.to = fmt::format("<{}>", target->uri);
    request.extra = {{"Contact", own_contact(core, target->flow, user)},
                     {"Event", "message-summary"},
                     {"Subscription-State", "terminated"}};
    const auto account =
        fmt::format("sip:{}@{}", sip::escape_user(extension.empty() ? user : extension), host);
    request.body = message_summary(account, count.fresh, count.old);
    request.content_type = "application/simple-message-summary";
    request.auths = endpoint->outbound_auth;
    const auto answer = co_await send_outside_dialog(core, std::move(request));
    if (!answer)
        LOG_VERBOSE((log::About{"pbx", {}, endpoint->name}), "message waiting: {}",
                    answer.error().text());
}

}  // namespace strowger::pbx
