#include "pbx/attended_transfer.hpp"

#include <utility>

#include "pbx/call_features.hpp"
#include "pbx/dial_target.hpp"
#include "pbx/event_queue.hpp"
#include "pbx/transfer_recall.hpp"

namespace strowger::pbx {

namespace {

constexpr DigitFeatures consulting{.consultation = true};

/// One transfer. `by` is out of its own bridge, `waiting`, while this goes on.
class Transfer {
public:
    Transfer(Core& core, Bridge::Starter starter, std::shared_ptr<Bridge> bridge, Seat seat,
             std::optional<dialplan::Position> where)
        : core_(core),
          where_(std::move(where)),
          starter_(std::move(starter)),
          first_(std::move(bridge)),
          seat_(std::move(seat)),
          by_(seat_.channel),
          queue_(core.loop) {}

    Task<> run() {
        if (const auto peer = alone(*first_)) (void)co_await peer->start_music(std::string());
        if (!where_) where_ = co_await ask_target();
        if (where_) target_ = co_await call(*where_);
        if (target_ && !by_->hung_up() && !left_) co_await consult();
        co_await finish();
    }

private:
    // Whoever sits in a bridge that `by` has left.
    ChannelPtr alone(const Bridge& bridge) const { return bridge.peer_of(*by_); }

    Task<> play_and_wait(std::string name) {
        const auto file = core_.sounds.find(name, by_->language);
        if (!file) co_return;
        std::vector<std::string> files{*file};
        (void)co_await by_->play_and_wait(std::move(files));
    }

    // The number, dialled on to the end of the prompt; nothing when there is no such extension.
    Task<std::optional<dialplan::Position>> ask_target() {
        const auto context = transfer_context(*by_);
        const auto plan = by_->dialplan();
        by_->inbox().clear();
        std::string digits;
        if (const auto prompt = core_.sounds.find("pbx-transfer", by_->language)) {
            std::vector<std::string> files{*prompt};
            std::string any = "any";
            const auto played = co_await by_->play_and_wait(std::move(files), std::move(any));
            if (played.digit && played.digit != '#') digits += played.digit;
        }
        const Duration patience = std::chrono::seconds{by_->features()->transferdigittimeout};
        while (!by_->hung_up() && digits.size() < dialplan::max_exten) {
            if (plan->exists(context, digits, by_->query()) &&
                !plan->could_match_longer(context, digits, by_->query()))
                break;
            const auto digit = co_await by_->wait_digit(patience);
            if (!digit || *digit == '#') break;
            digits += *digit;
        }
        if (by_->hung_up()) co_return std::nullopt;
        if (!digits.empty() && plan->exists(context, digits, by_->query()))
            co_return dialplan::Position{context, digits, 1};
        LOG_NOTICE(by_->about(), "transfer to '{}@{}': no such extension", digits, context);
        std::string invalid = "pbx-invalid";
        co_await play_and_wait(std::move(invalid));
        co_return std::nullopt;
    }

    // Rings there; null when nobody answers in time, or `by` thinks better of it. Who goes in the
    // meantime leaves the other one to wait, who hears it ring.
    Task<ChannelPtr> call(dialplan::Position where) {
        DialTarget wanted{"Local", where.exten + "@" + where.context};
        std::string linkedid = by_->linkedid();
        auto leg = co_await OutgoingLeg::make(core_, std::move(wanted), std::move(linkedid));
        if (!leg) {
            LOG_NOTICE(by_->about(), "attended transfer: {}", leg.error().text());
            co_return nullptr;
        }
        const auto channel = leg->channel();
        channel->connected = by_->caller;
        channel->caller.number = where.exten;
        by_->inherit_to(*channel);
        channel->set_position(where);
        channel->listen(&queue_);
        by_->listen(&queue_);
        first_->watch(&queue_);
        auto preferred = by_->codecs();
        const auto dialled = co_await leg->dial(starter_, std::move(preferred));
        const Time until =
            core_.now() + std::chrono::seconds{by_->features()->atxfernoanswertimeout};
        const bool answered = dialled && co_await ring(channel, until);
        first_->watch(nullptr);
        by_->listen(nullptr);
        channel->listen(nullptr);
        co_await by_->stop_playing();
        if (answered) co_return channel;
        channel->hangup(Cause::normal_clearing);
        if (!by_->hung_up() && !left_) {
            std::string failed = by_->features()->xferfailsound;
            co_await play_and_wait(std::move(failed));
        }
        co_return nullptr;
    }

    Task<bool> ring(ChannelPtr channel, Time until) {
        if (by_->hung_up()) co_await leave_to_wait();
        for (;;) {
            const auto item = co_await queue_.next(until);
            if (!item) co_return false;
            const bool gone = std::holds_alternative<channel::HungUp>(item->event);
            if (item->channel == channel) {
                if (gone) co_return false;
                if (std::holds_alternative<channel::Answered>(item->event)) co_return true;
                std::string tone = "ring";
                if (std::holds_alternative<channel::Ringing>(item->event))
                    (void)co_await by_->play_tone(std::move(tone));
            } else if (item->channel == by_) {
                const auto* digit = std::get_if<channel::Digit>(&item->event);
                const auto asked =
                    digit ? codes_.press(digit->digit, *by_->features(), consulting) : std::nullopt;
                if (asked == Feature::abort) co_return false;
                if (gone || asked == Feature::complete) co_await leave_to_wait();
            } else if (gone && (left_ || by_->hung_up())) {
                co_return false;  // nobody is there any more
            }
        }
    }

    Task<> leave_to_wait() {
        left_ = true;
        const auto waiting = alone(*first_);
        if (!waiting) co_return;
        co_await waiting->stop_playing();
        std::string tone = "ring";
        (void)co_await waiting->play_tone(std::move(tone));
    }

    // To and fro between the two until one of the three goes, or `by` has made up its mind.
    Task<> consult() {
        auto joined = co_await Bridge::join(core_, starter_, by_, target_);
        if (!joined) {
            LOG_WARNING(by_->about(), "attended transfer: {}", joined.error().text());
            target_->hangup(Cause::normal_clearing);
            target_ = nullptr;
            co_return;
        }
        second_ = *joined;
        second_->allow(*by_, consulting);
        auto here = second_;
        auto there = first_;
        for (;;) {
            const auto released = co_await here->talk(by_);
            const auto peer = alone(*here);
            if (released.asked == Feature::swap && peer && alone(*there)) {
                (void)co_await peer->start_music(std::string());
                std::swap(here, there);
                Seat seat{by_, {}, consulting};
                (void)co_await here->step_in(std::move(seat));
                continue;
            }
            if (released.asked == Feature::three_way && alone(*first_) && alone(*second_)) {
                all_three_ = true;
                co_return;
            }
            aborted_ = released.asked == Feature::abort || released.asked == Feature::swap;
            if (released.why == Released::Why::peer_gone && !by_->hung_up()) aborted_ = true;
            if (released.why == Released::Why::transferred) sent_away_ = released;
            co_return;
        }
    }

    Task<> finish() {
        const auto waiting = alone(*first_);
        const bool target_lives = target_ && !target_->hung_up();
        if (all_three_ && waiting && target_lives && !by_->hung_up()) {
            co_await join_all();
        } else if (sent_away_) {
            co_await join_others();
            let_go(seat_, *sent_away_, starter_);
        } else if (by_->hung_up() || left_) {
            co_await join_others();
            let_go(seat_,
                   {by_->hung_up() ? Released::Why::self_gone : Released::Why::peer_gone,
                    Cause::normal_clearing,
                    {}},
                   starter_);
        } else if (target_lives && !aborted_ && waiting) {
            co_await join_others();
            let_go(seat_, {Released::Why::peer_gone, Cause::normal_clearing, {}}, starter_);
        } else if (waiting) {
            if (target_lives) target_->hangup(Cause::normal_clearing);
            Seat seat = seat_;
            (void)co_await first_->step_in(std::move(seat));
        } else if (target_lives && second_) {
            // The one to be transferred has left: these two just talk on.
            Seat seat = seat_;
            seat.features = {};
            (void)co_await second_->step_in(std::move(seat));
        } else {
            let_go(seat_, {Released::Why::peer_gone, Cause::normal_clearing, {}}, starter_);
        }
    }

    Task<> join_all() {
        co_await alone(*first_)->stop_playing();
        co_await target_->stop_playing();
        Seat seat = seat_;
        (void)co_await first_->step_in(std::move(seat));
        auto third = second_->step_out(*target_);
        if (third) (void)co_await first_->step_in(std::move(*third));
    }

    Task<> join_others() {
        const auto waiting = alone(*first_);
        if (waiting) (void)waiting->variables().set("ATTENDEDTRANSFER", by_->name());
        if (target_ && !target_->hung_up() && waiting) {
            const bool joined = co_await first_->admit(target_);
            // Over the beginning of what is said: the bridge has their events now, so that nobody
            // could wait for its end.
            if (const auto sound = by_->features()->xfersound; joined && !sound.empty()) {
                std::string beep = sound;
                co_await say(target_, std::move(beep));
            }
            co_return;
        }
        const auto kept = by_->features();
        const auto& features = *kept;
        if (!target_ && waiting && left_ && features.atxferdropcall == 0 &&
            co_await call_back(core_, starter_, first_, by_))
            co_return;
        if (target_) target_->hangup(Cause::normal_clearing);
        first_->close();
    }

    Core& core_;
    std::optional<dialplan::Position> where_;  ///< to be transferred to
    Bridge::Starter starter_;
    std::shared_ptr<Bridge> first_,
        second_;  ///< with the one to be transferred; with the one consulted
    Seat seat_;
    ChannelPtr by_, target_;
    EventQueue queue_;
    FeatureDigits codes_;
    bool left_ = false;  ///< `by` did not wait for the answer
    bool aborted_ = false;
    bool all_three_ = false;
    std::optional<Released> sent_away_;
};

}  // namespace

Task<> attended_transfer(Core& core, Bridge::Starter starter, std::shared_ptr<Bridge> bridge,
                         ChannelPtr by, std::optional<dialplan::Position> target) {
    auto seat = bridge->step_out(*by);
    if (!seat) co_return;
    Transfer transfer(core, std::move(starter), std::move(bridge), std::move(*seat),
                      std::move(target));
    co_await transfer.run();
    core.signalling.touch();
}

}  // namespace strowger::pbx
