#include "wire/sip/subscription.hpp"

#include <gtest/gtest.h>

#include "wire/sip/test_wire.hpp"

namespace strowger::sip {
namespace {

using namespace std::chrono_literals;
using test::label;
using Ladder = std::vector<std::string>;

/// A subscriber and a notifier with nothing but ten milliseconds between them.
struct Pair {
    Pair() : subscriber(subscriber_config(), a, random_a) {}

    static Subscriber::Config subscriber_config() {
        return {.owner = 1,
                .contact = "<sip:a@192.0.2.1>",
                .event = "message-summary",
                .expires = 600s};
    }

    void subscribe() {
        ASSERT_TRUE(subscriber.subscribe(
            {"sip:b@192.0.2.2", "<sip:a@192.0.2.1>", "<sip:b@192.0.2.2>", {}}, flow_a, now));
    }

    void run_until(Time end) {
        for (;;) {
            exchange();
            const Time next = std::min({a.deadline(), b.deadline(), subscriber.deadline(),
                                        notifier ? notifier->deadline() : Time::max()});
            if (next > end) break;
            now = std::max(now, next);
            a.tick(now);
            b.tick(now);
            if (subscriber.deadline() <= now) subscriber.tick(now);
            if (notifier && notifier->deadline() <= now) notifier->tick(now);
        }
        now = end;
    }

    void exchange() {
        for (bool moved = true; moved;) {
            moved = false;
            Transmit transmit;
            while (a.poll(transmit)) {
                moved = true;
                ladder.push_back("a " + label(transmit.bytes));
                sent.push_back(transmit.bytes);
                if (!b_is_gone) b.receive(flow_b, transmit.bytes, now);
            }
            while (b.poll(transmit)) {
                moved = true;
                ladder.push_back("b " + label(transmit.bytes));
                sent.push_back(transmit.bytes);
                a.receive(flow_a, transmit.bytes, now);
            }
            TransactionEvent event;
            while (a.poll(event)) subscriber.handle(event, now);
            while (b.poll(event)) take(event);
            subscription::Event happened;
            while (subscriber.poll(happened)) a_events.push_back(happened);
            while (notifier && notifier->poll(happened)) b_events.push_back(happened);
        }
    }

    void take(const TransactionEvent& event) {
        const auto* request = std::get_if<RequestReceived>(&event);
        if (request && !notifier) {
            notifier.emplace(notifier_config, b, random_b, request->transaction, request->request,
                             now);
            if (!notifier->over()) {
                notifier->notify("Messages-Waiting: no\r\n", "application/simple-message-summary",
                                 now);
            }
        } else if (notifier) {
            notifier->handle(event, now);
        }
    }

    std::size_t count(std::string_view line) const {
        return static_cast<std::size_t>(std::count(ladder.begin(), ladder.end(), line));
    }

    Time now{};
    Flow flow_a = test::TestWire::flow(Transport::udp, 1, 2);
    Flow flow_b = test::TestWire::flow(Transport::udp, 2, 1);
    Random random_a{1}, random_b{2};
    TransactionLayer a{{}, random_a}, b{{}, random_b};
    Subscriber subscriber;
    Notifier::Config notifier_config{.owner = 2, .contact = "<sip:b@192.0.2.2>"};
    std::optional<Notifier> notifier;
    bool b_is_gone = false;
    Ladder ladder;
    std::vector<std::string> sent;
    std::vector<subscription::Event> a_events, b_events;
};

TEST(Subscription, StartsWithTheStateAndTellsEachChange) {
    Pair pair;
    pair.subscribe();
    pair.run_until(pair.now + 1s);
    EXPECT_EQ(pair.ladder, (Ladder{"a SUBSCRIBE", "b 200 SUBSCRIBE", "b NOTIFY", "a 200 NOTIFY"}));
    EXPECT_EQ(Message::parse(pair.sent[1])->header(HeaderId::expires), "600");
    const auto notify = Message::parse(pair.sent[2]);
    EXPECT_EQ(notify->header(HeaderId::subscription_state), "active;expires=600");
    EXPECT_EQ(notify->header(HeaderId::event), "message-summary");
    EXPECT_EQ(notify->request_uri(), "sip:a@192.0.2.1");
    EXPECT_EQ(pair.notifier->event_package(), "message-summary");
    pair.notifier->notify("Messages-Waiting: yes\r\n", "application/simple-message-summary",
                          pair.now);
    pair.run_until(pair.now + 1s);
    ASSERT_EQ(pair.a_events.size(), 2u);
    const auto& second = std::get<subscription::Notified>(pair.a_events[1]);
    EXPECT_EQ(second.state, "active");
    EXPECT_EQ((*second.notify)->body(), "Messages-Waiting: yes\r\n");
}

TEST(Subscription, IsRefreshedThirtySecondsBeforeItsEnd) {
    Pair pair;
    pair.subscribe();
    pair.run_until(Time{} + 569s);
    EXPECT_EQ(pair.count("a SUBSCRIBE"), 1u);
    pair.run_until(Time{} + 571s);
    EXPECT_EQ(pair.count("a SUBSCRIBE"), 2u);
    ASSERT_EQ(pair.b_events.size(), 1u);
    EXPECT_TRUE(std::holds_alternative<subscription::Refreshed>(pair.b_events[0]));
    pair.run_until(Time{} + 1h);
    EXPECT_FALSE(pair.subscriber.over());
    EXPECT_FALSE(pair.notifier->over());
}

TEST(Subscription, EndsOnUnsubscribeWithALastNotify) {
    Pair pair;
    pair.subscribe();
    pair.run_until(pair.now + 1s);
    pair.ladder.clear();
    pair.sent.clear();
    pair.subscriber.unsubscribe(pair.now);
    pair.run_until(pair.now + 1s);
    EXPECT_EQ(pair.ladder, (Ladder{"a SUBSCRIBE", "b 200 SUBSCRIBE", "b NOTIFY", "a 200 NOTIFY"}));
    EXPECT_EQ(Message::parse(pair.sent[0])->header(HeaderId::expires), "0");
    EXPECT_EQ(Message::parse(pair.sent[2])->header(HeaderId::subscription_state),
              "terminated;reason=timeout");
    EXPECT_TRUE(pair.subscriber.over());
    EXPECT_TRUE(pair.notifier->over());
}

TEST(Subscription, ExpiresWhenNobodyRefreshesIt) {
    Pair pair;
    pair.subscribe();
    pair.run_until(pair.now + 1s);
    pair.b_is_gone = true;  // nothing of a arrives any more
    pair.ladder.clear();
    pair.run_until(Time{} + 599s);
    EXPECT_FALSE(pair.notifier->over());
    pair.run_until(Time{} + 640s);
    EXPECT_TRUE(pair.notifier->over());
    EXPECT_GE(pair.count("b NOTIFY"), 1u);
    EXPECT_TRUE(pair.subscriber.over());
}

TEST(Subscription, AskingTooLittleIsToldTheLeast) {
    Pair pair;
    pair.notifier_config.minimum = 900s;
    pair.subscribe();
    pair.exchange();
    EXPECT_EQ(pair.ladder.at(1), "b 423 SUBSCRIBE");
    EXPECT_EQ(Message::parse(pair.sent[1])->header(HeaderId::min_expires), "900");
    EXPECT_TRUE(pair.notifier->over());
    EXPECT_EQ(pair.ladder.at(2), "a SUBSCRIBE");
    EXPECT_EQ(Message::parse(pair.sent[2])->header(HeaderId::expires), "900");
}

TEST(Subscription, ANotifierThatIsForgottenStops) {
    Pair pair;
    pair.subscribe();
    pair.run_until(pair.now + 1s);
    pair.notifier->terminate("noresource", pair.now);
    pair.run_until(pair.now + 1s);
    ASSERT_TRUE(pair.subscriber.over());
    const auto& ended = std::get<subscription::Ended>(pair.a_events.back());
    EXPECT_EQ(ended.reason, "noresource");
    EXPECT_TRUE(pair.notifier->over());
}

TEST(Subscription, OnlyTheNewestStateWaitsBehindANotifyUnderway) {
    Pair pair;
    pair.subscribe();
    pair.run_until(pair.now + 1s);
    pair.ladder.clear();
    pair.a_events.clear();
    for (const auto* state : {"one", "two", "three", "four"}) {
        pair.notifier->notify(state, "text/plain", pair.now);
    }
    pair.run_until(pair.now + 1s);
    ASSERT_EQ(pair.a_events.size(), 2u);
    EXPECT_EQ((*std::get<subscription::Notified>(pair.a_events[0]).notify)->body(), "one");
    EXPECT_EQ((*std::get<subscription::Notified>(pair.a_events[1]).notify)->body(), "four");
}

}  // namespace
}  // namespace strowger::sip
