// TALK_DETECT: tells when somebody talks, and ends, for as long as the call lasts.

#include <fmt/format.h>

#include "base/text.hpp"
#include "media/talk_detector.hpp"
#include "pbx/applications.hpp"
#include "pbx/channel.hpp"
#include "pbx/prompt.hpp"

namespace strowger::pbx {

namespace {

using dialplan::Call;

constexpr std::string_view place = "TALK_DETECT";
constexpr Duration usual_silence = std::chrono::milliseconds{2500};
constexpr Duration longest_silence = std::chrono::hours{1};
constexpr int usual_threshold = 256;  // mean amplitude
constexpr Duration look = std::chrono::milliseconds{100};

/// Follows what one channel says. Who talks is told at once, who ends after the silence.
class TalkWatch : public std::enable_shared_from_this<TalkWatch> {
public:
    TalkWatch(Channel& channel, Duration silence, int threshold)
        : channel_(channel), detector_(threshold), silence_(silence) {}

    void heard(std::span<const std::int16_t> samples) {
        detector_.feed(samples, [this](const auto& state) {
            if (state.talking) loud();
            return true;
        });
    }
    std::uint64_t ear = 0;

private:
    void loud() {
        last_ = channel_.core().now();
        if (talking_) return;
        talking_ = true;
        began_ = last_;
        tell("ChannelTalkingStart", {});
        arm();
    }
    // Silence is the time in which nothing was loud: a phone that sends nothing is silent as well.
    void arm() {
        timer_ = channel_.core().loop.after(look, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (!self) return;
            if (self->channel_.core().now() - self->last_ < self->silence_) return self->arm();
            self->talking_ = false;
            const auto talked =
                std::chrono::duration_cast<std::chrono::milliseconds>(self->last_ - self->began_);
            self->tell("ChannelTalkingStop", talked);
        });
    }
    void tell(std::string name, std::optional<std::chrono::milliseconds> talked) {
        std::string text = name;
        events::UserEvent event{channel_.name(), channel_.uniqueid(), std::move(name), {}};
        if (talked) {
            event.headers.emplace_back("Duration", std::to_string(talked->count()));
            text += fmt::format(", after {} ms", talked->count());
        }
        channel_.report(log::Level::notice, text);
        channel_.core().events.publish(event);
    }

    Channel& channel_;  // it owns us
    media::TalkDetector detector_;
    Duration silence_;
    bool talking_ = false;
    Time began_{}, last_{};
    io::Timer timer_;
};

void remove(Channel& channel) {
    const auto found = channel.attached.find(place);
    if (found == channel.attached.end()) return;
    const auto ear = std::static_pointer_cast<TalkWatch>(found->second)->ear;
    channel.attached.erase(found);
    channel.core().tasks.spawn([](ChannelPtr self, std::uint64_t id) -> Task<> {
        co_await self->remove_ear(id);
    }(channel.shared_from_this(), ear));
}

// The ear's number is known only when the engine has answered; by then it may be unwanted.
Task<> begin(ChannelPtr channel, std::weak_ptr<TalkWatch> watch) {
    auto listen = [watch](std::span<const std::int16_t> samples) {
        if (const auto alive = watch.lock()) alive->heard(samples);
    };
    const auto ear = co_await channel->add_ear(std::move(listen));
    if (const auto alive = watch.lock())
        alive->ear = ear;
    else
        co_await channel->remove_ear(ear);
}

// Set(TALK_DETECT(set)=[silence in ms[,threshold]]), Set(TALK_DETECT(remove)=)
Result<> write(Call& call, std::string_view args, std::string_view value) {
    auto& channel = static_cast<Channel&>(call);
    const auto action = trim(args);
    if (iequals(action, "remove")) {
        remove(channel);
        return {};
    }
    if (!iequals(action, "set")) return fail("TALK_DETECT({}): expected set or remove", args);
    const auto [silence_text, threshold_text] = split_once(value, ',');
    auto silence = usual_silence;
    if (!trim(silence_text).empty()) {
        const auto given = parse_milliseconds(silence_text);
        if (!given || *given == Duration{} || *given > longest_silence)
            return fail("TALK_DETECT: '{}' is no number of milliseconds, up to an hour",
                        silence_text);
        silence = *given;
    }
    int threshold = usual_threshold;
    if (!trim(threshold_text).empty()) {
        const auto given = parse_number<int>(trim(threshold_text));
        if (!given || *given < 1 || *given > 32767)
            return fail("TALK_DETECT: '{}' is no amplitude from 1 to 32767", threshold_text);
        threshold = *given;
    }
    if (!channel.party()) return fail("the channel has no media yet");
    remove(channel);
    const auto watch = std::make_shared<TalkWatch>(channel, silence, threshold);
    channel.attached[std::string(place)] = watch;
    channel.core().tasks.spawn(begin(channel.shared_from_this(), watch));
    return {};
}

}  // namespace

void add_talk_functions(dialplan::Functions& functions) {
    functions.add("TALK_DETECT",
                  "Tell when the caller talks: TALK_DETECT(set)=[silence[,threshold]]", {}, write);
}

}  // namespace strowger::pbx
