#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "wire/sip/dialog.hpp"
#include "wire/sip/header_line.hpp"
#include "wire/sip/transaction_layer.hpp"

/// What a subscription tells its owner.
namespace strowger::sip::subscription {

/// Notifier: a refresh came and was granted; send the state again with `notify`.
struct Refreshed {};
/// Over: expired, ended by them, refused by them (481 ...), or by `terminate`.
struct Ended {
    std::string reason;  ///< "timeout", "noresource", "deactivated" ... (RFC 6665 section 4.1.3)
    ReceivedPtr message;
};
/// Subscriber: the state came. The NOTIFY has been answered.
struct Notified {
    std::string state;  ///< "active", "pending", "terminated"
    ReceivedPtr notify;
};
/// 401 or 407 to a SUBSCRIBE or NOTIFY of ours.
struct AuthenticationRequired {
    Method method = Method::unknown;
    std::string uri;
    ReceivedPtr response;
};
using Event = std::variant<Refreshed, Ended, Notified, AuthenticationRequired>;

}  // namespace strowger::sip::subscription

namespace strowger::sip {

/// The notifier's side of one subscription (RFC 6665 section 4.2): a SUBSCRIBE that its owner has
/// authenticated and found acceptable.
///
/// The owner shows it the TransactionEvents with its `owner` tag and the in-dialog SUBSCRIBEs whose
/// To tag is `local_tag()`. NOTIFYs go one at a time, the newest state replacing one that waits.
class Notifier {
public:
    struct Config {
        OwnerTag owner = 0;
        std::string contact;
        std::string product;
        std::string sent_by;
        std::chrono::seconds minimum{60};      ///< shorter ones get 423
        std::chrono::seconds maximum{3600};    ///< longer ones are shortened
        std::chrono::seconds otherwise{3600};  ///< without an Expires
    };

    /// Answers 200 (or 423, 489, 400: then `over()` and nothing follows). A NOTIFY must follow at
    /// once: call `notify`.
    Notifier(Config config, TransactionLayer& layer, Random& random, TransactionId transaction,
             ReceivedPtr subscribe, Time now);

    void handle(const TransactionEvent& event, Time now);
    void tick(Time now);
    Time deadline() const;
    bool poll(subscription::Event& event);

    void notify(std::string_view body, std::string_view content_type, Time now,
                const HeaderLines& extra = {});
    /// A last NOTIFY with that reason and, if not empty, that state.
    void terminate(std::string_view reason, Time now, std::string_view body = {},
                   std::string_view content_type = {});
    Result<> authenticate(HeaderId header, std::string value, Time now);

    bool over() const { return over_; }
    const std::string& local_tag() const { return local_tag_; }
    const std::string& event_package() const { return package_; }  ///< without parameters
    const Dialog* dialog() const { return dialog_ ? &*dialog_ : nullptr; }
    const ReceivedPtr& request() const { return subscribe_; }
    void set_flow(const Flow& flow) { flow_ = flow; }

private:
    struct Notification {
        std::string body, content_type, reason;
        HeaderLines extra;
        bool last = false;
    };
    void receive_subscribe(TransactionId transaction, const ReceivedPtr& subscribe, Time now);
    void receive_response(const ReceivedPtr& response, Time now);
    void queue(Notification notification, Time now);
    void send(Notification notification, Time now);
    void send_waiting(Time now);
    void finish(std::string reason, ReceivedPtr message);
    bool grant(TransactionId transaction, const Message& subscribe, Time now);
    std::string subscription_state(const Notification& notification, Time now) const;

    Config config_;
    TransactionLayer& layer_;
    ReceivedPtr subscribe_;
    std::string local_tag_, package_, event_;
    std::optional<Dialog> dialog_;
    Flow flow_;
    Time expires_ = Time::max();
    TransactionId sending_;
    std::optional<Notification> sent_, waiting_;
    HeaderLines credentials_;
    std::deque<subscription::Event> events_;
    bool challenged_ = false;
    bool ending_ = false;  ///< the last NOTIFY is queued or underway
    bool over_ = false;
};

/// The subscriber's side (RFC 6665 section 4.1): asks, refreshes in time, and takes NOTIFYs.
class Subscriber {
public:
    struct Config {
        OwnerTag owner = 0;
        std::string contact;
        std::string product;
        std::string sent_by;
        std::string event;   ///< "message-summary", parameters included
        std::string accept;  ///< Accept header; none when empty
        std::chrono::seconds expires{3600};
    };
    struct Target {
        std::string uri;   ///< Request-URI
        std::string from;  ///< without tag
        std::string to;
        HeaderLines extra;
    };
    /// How long a SUBSCRIBE may go unanswered, and the last NOTIFY be awaited after `unsubscribe`.
    static constexpr Duration patience = std::chrono::seconds{32};

    Subscriber(Config config, TransactionLayer& layer, Random& random);

    Result<> subscribe(Target target, const Flow& flow, Time now);
    void unsubscribe(Time now);
    Result<> authenticate(HeaderId header, std::string value, Time now);

    /// TransactionEvents with its owner tag, and NOTIFYs whose To tag is `local_tag()`.
    void handle(const TransactionEvent& event, Time now);
    void tick(Time now);
    Time deadline() const;
    bool poll(subscription::Event& event);

    bool over() const { return over_; }
    const std::string& local_tag() const { return local_tag_; }

private:
    Result<> send(Time now);
    void schedule(std::chrono::seconds granted, Time now);
    void receive_notify(TransactionId transaction, const ReceivedPtr& notify, Time now);
    void receive_response(const ReceivedPtr& response, Time now);
    void finish(std::string reason, ReceivedPtr message);

    Config config_;
    TransactionLayer& layer_;
    Random& random_;
    Target target_;
    Flow flow_;
    std::string local_tag_, call_id_;
    std::uint32_t cseq_ = 0;
    std::optional<Dialog> dialog_;
    TransactionId sending_;
    HeaderLines credentials_;
    Time refresh_at_ = Time::max();
    Time expires_at_ = Time::max();
    std::chrono::seconds asked_;
    std::deque<subscription::Event> events_;
    bool challenged_ = false;
    bool again_ = false;  ///< unsubscribed while a SUBSCRIBE is underway
    bool over_ = false;
};

}  // namespace strowger::sip
