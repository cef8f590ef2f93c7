#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/text.hpp"
#include "pbx/core.hpp"
#include "pbx/hints.hpp"
#include "pbx/message_waiting.hpp"
#include "wire/sip/subscription.hpp"

namespace strowger::pbx {

/// The notifier of the exchange (RFC 6665): `dialog` (RFC 4235) and `presence` (RFC 3856) of
/// extensions with hints, `message-summary` (RFC 3842) of mailboxes.
class Presence {
public:
    /// At once, all endpoints together; more are answered 503.
    static constexpr std::size_t max_subscriptions = 50000;

    using Mailboxes = std::function<MailboxCount(std::string_view mailbox)>;

    Presence(Core& core, Hints& hints);
    ~Presence();
    Presence(const Presence&) = delete;
    Presence& operator=(const Presence&) = delete;

    /// A SUBSCRIBE without To tag from an authenticated endpoint: answers it, and sends the state.
    void subscribe(const sip::RequestReceived& received,
                   std::shared_ptr<const config::Endpoint> endpoint);
    /// A request within a dialog: true when it belongs to a subscription here, and then is
    /// answered.
    bool handle(const sip::TransactionEvent& event);

    /// Where the counts of message-summary come from; without one mailboxes are empty.
    void set_mailboxes(Mailboxes mailboxes) { mailboxes_ = std::move(mailboxes); }
    void mailbox_changed(std::string_view mailbox);
    /// Goes by `core.config` from now on, as to which phones are told of their mailboxes unasked.
    void configure();

    std::size_t size() const { return subscriptions_.size(); }

private:
    struct Subscription;

    MailboxCount count(const std::vector<std::string>& mailboxes) const;
    bool subscribes(const config::Endpoint& endpoint) const;
    void contact_changed(const std::string& aor, const Contact& contact, Location::Change change);
    void tell_unasked(const config::Endpoint& endpoint, const Contact& contact);
    void refuse(const sip::RequestReceived& received, int status,
                std::string_view header_lines = {});
    void hint_changed(const Hints::Hint& hint);
    void notify(Subscription& subscription);
    std::string mailbox_body(const Subscription& subscription) const;
    void drain(const std::string& tag);

    Core& core_;
    Hints& hints_;
    Mailboxes mailboxes_;
    std::shared_ptr<void> reader_;
    std::unordered_map<std::string, std::unique_ptr<Subscription>, TextHash, std::equal_to<>>
        subscriptions_;  ///< by local tag
    using Tags = std::vector<std::string>;
    std::unordered_map<std::string, Tags, TextHash, std::equal_to<>>
        by_resource_;  ///< "exten@context", mailbox
    /// Endpoints with mailboxes, by their aors and by their mailboxes; of the current
    /// configuration.
    using Endpoints = std::vector<const config::Endpoint*>;
    std::unordered_map<std::string, Endpoints, TextHash, std::equal_to<>> by_aor_, by_mailbox_;
    std::shared_ptr<const config::Configuration> config_;
    std::shared_ptr<bool> alive_ =
        std::make_shared<bool>(true);  // outlived by the loop's callbacks
};

}  // namespace strowger::pbx
