#include "pbx/presence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "pbx/credentials.hpp"
#include "pbx/message_waiting.hpp"
#include "pbx/own_address.hpp"
#include "pbx/state_document.hpp"
#include "wire/sip/builder.hpp"
#include "wire/sip/event.hpp"
#include "wire/sip/uri.hpp"

namespace strowger::pbx {

namespace {

using sip::HeaderId;

enum class Package : std::uint8_t { dialog, presence, message_summary };

constexpr std::string_view allowed_events = "Allow-Events: dialog, presence, message-summary\r\n";
constexpr std::string_view dialog_type = "application/dialog-info+xml";
constexpr std::string_view pidf_type = "application/pidf+xml";
constexpr std::string_view xpidf_type = "application/xpidf+xml";
constexpr std::string_view summary_type = "application/simple-message-summary";

std::optional<Package> package_by_name(std::string_view name) {
    if (iequals(name, "dialog")) return Package::dialog;
    if (iequals(name, "presence")) return Package::presence;
    if (iequals(name, "message-summary")) return Package::message_summary;
    return std::nullopt;
}

bool accepts(const sip::Message& subscribe, std::string_view type) {
    if (!subscribe.header(HeaderId::accept))
        return true;  // RFC 6665 section 3.1.3: the package's default
    for (const auto value : subscribe.values(HeaderId::accept)) {
        const auto range = trim(value.substr(0, value.find(';')));
        if (iequals(range, type) || range == "*/*" || iequals(range, "application/*")) return true;
    }
    return false;
}

// What it will be sent, or empty when it accepts none of it.
std::string_view content_type(Package package, const sip::Message& subscribe) {
    switch (package) {
        case Package::dialog:
            return accepts(subscribe, dialog_type) ? dialog_type : std::string_view();
        case Package::message_summary:
            return accepts(subscribe, summary_type) ? summary_type : std::string_view();
        case Package::presence: break;
    }
    return accepts(subscribe, pidf_type)    ? pidf_type
           : accepts(subscribe, xpidf_type) ? xpidf_type
                                            : std::string_view();
}

// Without the parameters of the Request-URI, which are about the way and not the person.
std::string entity_of(const sip::Uri& uri) {
    std::string text(uri.scheme);
    text += ':';
    if (!uri.user.empty()) (text += uri.user) += '@';
    text += uri.host;
    if (uri.port) text += fmt::format(":{}", *uri.port);
    return text;
}

std::string resource_of(std::string_view context, std::string_view exten) {
    return fmt::format("{}@{}", exten, context);
}

}  // namespace

struct Presence::Subscription {
    Package package;
    std::string_view type;  ///< one of the constants above
    std::string context, exten;
    std::vector<std::string> mailboxes;
    std::string entity;
    std::shared_ptr<const config::Endpoint> endpoint;
    sip::OwnerTag owner = 0;
    std::uint32_t version = 0;
    std::vector<std::string> resources;  ///< under which `by_resource_` has it
    std::unique_ptr<sip::Notifier> notifier;
    io::Timer timer;
};

Presence::Presence(Core& core, Hints& hints) : core_(core), hints_(hints) {
    reader_ = hints_.on_change([this](const Hints::Hint& hint) { hint_changed(hint); });
    core_.location.on_change([this, alive = std::weak_ptr(alive_)](const std::string& aor,
                                                                   const Contact& contact,
                                                                   Location::Change change) {
        if (!alive.expired()) contact_changed(aor, contact, change);
    });
}

Presence::~Presence() {
    for (const auto& [tag, subscription] : subscriptions_)
        core_.signalling.detach(subscription->owner);
}

void Presence::refuse(const sip::RequestReceived& received, int status,
                      std::string_view header_lines) {
    const auto& request = received.request->message();
    auto builder = sip::Builder::response_to(request, status, core_.random.token(12));
    for (const auto line : split(header_lines, '\n')) {
        const auto [name, value] = split_once(trim(line), ':');
        if (!name.empty()) builder.header(name, trim(value));
    }
    core_.signalling.layer().respond_stateless(received.transaction, std::move(builder).finish());
    core_.signalling.touch();
}

void Presence::subscribe(const sip::RequestReceived& received,
                         std::shared_ptr<const config::Endpoint> endpoint) {
    const auto& request = received.request->message();
    const log::About about{"pbx", request.call_id(), endpoint->name};
    const auto event = sip::Event::parse(request.header(HeaderId::event).value_or(""));
    const auto package = event ? package_by_name(event->package) : std::nullopt;
    if (!package) return refuse(received, 489, allowed_events);
    if (!endpoint->allow_subscribe) {
        LOG_NOTICE(about, "subscription refused: allow_subscribe=no");
        return refuse(received, 603);
    }
    const auto uri = sip::Uri::parse(request.request_uri());
    if (!uri) return refuse(received, 400);
    const auto type = content_type(*package, request);
    if (type.empty()) return refuse(received, 406, allowed_events);
    if (subscriptions_.size() >= max_subscriptions) {
        LOG_WARNING(about, "subscription refused: there are {} already", subscriptions_.size());
        return refuse(received, 503, "Retry-After: 60\r\n");
    }

    auto subscription = std::make_unique<Subscription>();
    subscription->package = *package;
    subscription->type = type;
    subscription->entity = entity_of(*uri);
    subscription->endpoint = endpoint;
    const auto user = sip::unescape(uri->user);
    if (*package == Package::message_summary) {
        // The URI names an aor; without a user part it is the endpoint's own.
        const auto* aor = core_.config->aors.find(user.empty() ? std::string_view(endpoint->name)
                                                               : std::string_view(user));
        const bool own = aor && std::find(endpoint->aors.begin(), endpoint->aors.end(),
                                          aor->name) != endpoint->aors.end();
        if (!own || aor->mailboxes.empty()) {
            LOG_VERBOSE(about, "no mailboxes behind '{}'", user);
            return refuse(received, 404);
        }
        subscription->mailboxes = aor->mailboxes;
        for (const auto& mailbox : aor->mailboxes)
            subscription->resources.push_back("mailbox:" + mailbox);
    } else {
        subscription->context =
            endpoint->subscribe_context.empty() ? endpoint->context : endpoint->subscribe_context;
        subscription->exten = user;
        if (!hints_.follow(subscription->context, user)) {
            LOG_NOTICE(about, "subscription to '{}@{}' refused: no hint", user,
                       subscription->context);
            return refuse(received, 404);
        }
        subscription->resources.push_back(resource_of(subscription->context, user));
    }

    const auto& flow = received.request->flow();
    const auto tag_holder = std::make_shared<std::string>();
    subscription->owner =
        core_.signalling.attach([this, tag_holder](const sip::TransactionEvent& happened) {
            const auto found = subscriptions_.find(*tag_holder);
            if (found == subscriptions_.end()) return;
            found->second->notifier->handle(happened, core_.now());
            drain(*tag_holder);
        });
    sip::Notifier::Config config;
    config.owner = subscription->owner;
    config.contact = own_contact(core_, flow, user);
    config.product = core_.config->global.user_agent;
    config.sent_by = own_address(core_, flow);
    config.minimum = std::chrono::seconds{std::max(endpoint->sub_min_expiry, 0)};
    subscription->notifier =
        std::make_unique<sip::Notifier>(std::move(config), core_.signalling.layer(), core_.random,
                                        received.transaction, received.request, core_.now());
    core_.signalling.touch();
    if (subscription->notifier->over()) {
        core_.signalling.detach(subscription->owner);
        return;
    }
    const auto tag = subscription->notifier->local_tag();
    *tag_holder = tag;
    for (const auto& resource : subscription->resources) by_resource_[resource].push_back(tag);
    auto& placed = *subscriptions_.emplace(tag, std::move(subscription)).first->second;
    notify(placed);
    drain(tag);
}

bool Presence::handle(const sip::TransactionEvent& event) {
    const auto* received = std::get_if<sip::RequestReceived>(&event);
    if (!received) return false;
    const std::string tag(received->request->message().to_tag());
    const auto found = subscriptions_.find(tag);
    if (found == subscriptions_.end()) return false;
    const auto* dialog = found->second->notifier->dialog();
    if (!dialog || dialog->call_id() != received->request->message().call_id()) return false;
    found->second->notifier->handle(event, core_.now());
    drain(tag);
    core_.signalling.touch();
    return true;
}

void Presence::notify(Subscription& subscription) {
    auto state = DeviceState::unknown;
    const auto* const hint = hints_.find(subscription.context, subscription.exten);
    if (hint) state = hint->state;
    if (state == DeviceState::ringinuse && subscription.endpoint->notify_early_inuse_ringing)
        state = DeviceState::ringing;
    std::string body;
    if (subscription.package == Package::message_summary)
        body = mailbox_body(subscription);
    else if (subscription.package == Package::dialog)
        body = dialog_info(subscription.entity, state, subscription.version++);
    else
        body = subscription.type == xpidf_type
                   ? xpidf(subscription.entity, state)
                   : pidf(subscription.entity, state, hint ? hint->says : PersonalPresence{});
    subscription.notifier->notify(body, subscription.type, core_.now());
    core_.signalling.touch();
}

std::string Presence::mailbox_body(const Subscription& subscription) const {
    const auto sum = count(subscription.mailboxes);
    return message_summary(subscription.entity, sum.fresh, sum.old);
}

MailboxCount Presence::count(const std::vector<std::string>& mailboxes) const {
    MailboxCount sum;
    if (!mailboxes_) return sum;
    for (const auto& mailbox : mailboxes) {
        const auto one = mailboxes_(mailbox);
        sum.fresh += one.fresh;
        sum.old += one.old;
    }
    return sum;
}

void Presence::hint_changed(const Hints::Hint& hint) {
    const auto found = by_resource_.find(resource_of(hint.context, hint.exten));
    if (found == by_resource_.end()) return;
    const auto tags = found->second;  // one that ends leaves the list
    for (const auto& tag : tags) {
        const auto at = subscriptions_.find(tag);
        if (at == subscriptions_.end()) continue;
        if (hint.devices.empty())
            at->second->notifier->terminate("noresource",
                                            core_.now());  // a reload took the hint away
        else
            notify(*at->second);
        drain(tag);
    }
    core_.signalling.touch();
}

void Presence::mailbox_changed(std::string_view mailbox) {
    if (const auto told = by_mailbox_.find(mailbox); told != by_mailbox_.end())
        for (const auto* endpoint : told->second)
            for (const auto& aor : endpoint->aors)
                for (const auto& contact : core_.location.contacts(aor))
                    if (contact.available()) tell_unasked(*endpoint, contact);
    const auto found = by_resource_.find("mailbox:" + std::string(mailbox));
    if (found == by_resource_.end()) return;
    const auto tags = found->second;
    for (const auto& tag : tags) {
        const auto at = subscriptions_.find(tag);
        if (at == subscriptions_.end()) continue;
        notify(*at->second);
        drain(tag);
    }
}

void Presence::configure() {
    config_ = core_.config;
    by_aor_.clear();
    by_mailbox_.clear();
    for (const auto& endpoint : config_->endpoints) {
        if (endpoint.mailboxes.empty()) continue;
        for (const auto& aor : endpoint.aors) by_aor_[aor].push_back(&endpoint);
        for (const auto& mailbox : endpoint.mailboxes) by_mailbox_[mailbox].push_back(&endpoint);
    }
}

// A phone that has just come lights its lamp, or puts it out.
void Presence::contact_changed(const std::string& aor, const Contact& contact,
                               Location::Change change) {
    if (change != Location::Change::added || contact.is_static || !config_ ||
        config_->global.mwi_disable_initial_unsolicited)
        return;
    if (const auto found = by_aor_.find(aor); found != by_aor_.end())
        for (const auto* endpoint : found->second) tell_unasked(*endpoint, contact);
}

bool Presence::subscribes(const config::Endpoint& endpoint) const {
    return std::any_of(subscriptions_.begin(), subscriptions_.end(), [&](const auto& entry) {
        return entry.second->package == Package::message_summary &&
               entry.second->endpoint->name == endpoint.name;
    });
}

// RFC 3842 knows no NOTIFY without a subscription, but every phone takes it.
void Presence::tell_unasked(const config::Endpoint& endpoint, const Contact& contact) {
    if (endpoint.mwi_subscribe_replaces_unsolicited && subscribes(endpoint)) return;
    const std::shared_ptr<const config::Endpoint> whose(config_, &endpoint);
    if (endpoint.aggregate_mwi) {
        core_.tasks.spawn(tell_of_messages(core_, whose, contact, count(endpoint.mailboxes)));
        return;
    }
    for (const auto& mailbox : endpoint.mailboxes)
        core_.tasks.spawn(tell_of_messages(core_, whose, contact, count({mailbox})));
}

// What its notifier has to say, its next deadline, and its end.
void Presence::drain(const std::string& tag) {
    const auto found = subscriptions_.find(tag);
    if (found == subscriptions_.end()) return;
    auto& subscription = *found->second;
    auto& notifier = *subscription.notifier;
    sip::subscription::Event event;
    while (notifier.poll(event)) {
        if (std::holds_alternative<sip::subscription::Refreshed>(event)) {
            notify(subscription);
        } else if (const auto* asked =
                       std::get_if<sip::subscription::AuthenticationRequired>(&event)) {
            auto answer = answer_challenges(*core_.config, subscription.endpoint->outbound_auth,
                                            asked->response->message(), name_of(asked->method),
                                            asked->uri, core_.random);
            if (answer)
                (void)notifier.authenticate(answer->header, std::move(answer->value), core_.now());
            else
                notifier.terminate("giveup", core_.now());
        } else if (const auto* ended = std::get_if<sip::subscription::Ended>(&event)) {
            LOG_VERBOSE((log::About{"pbx", {}, subscription.endpoint->name}),
                        "subscription to {} ended: {}", subscription.entity, ended->reason);
        }
    }
    core_.signalling.touch();
    if (notifier.over()) {
        for (const auto& resource : subscription.resources) {
            const auto list = by_resource_.find(resource);
            if (list == by_resource_.end()) continue;
            std::erase(list->second, tag);
            if (list->second.empty()) by_resource_.erase(list);
        }
        core_.signalling.detach(subscription.owner);
        // Its own timer or handler may be what runs.
        core_.let_go_later(std::move(found->second));
        subscriptions_.erase(found);
        return;
    }
    if (notifier.deadline() == Time::max()) {
        subscription.timer.cancel();
        return;
    }
    subscription.timer = core_.loop.at(notifier.deadline(), [this, tag] {
        const auto due = subscriptions_.find(tag);
        if (due == subscriptions_.end()) return;
        due->second->notifier->tick(core_.now());
        const std::string name = tag;  // the timer that holds `tag` may be replaced
        drain(name);
    });
}

}  // namespace strowger::pbx
