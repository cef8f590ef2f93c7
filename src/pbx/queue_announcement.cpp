#include "pbx/queue_announcement.hpp"

#include <fmt/format.h>

#include <cstdlib>

namespace strowger::pbx {

namespace {

class Sentence {
public:
    explicit Sentence(const Speech& speech) : speech_(speech) {}

    Sentence& sound(const std::string& name) {
        if (!name.empty()) (text_ += text_.empty() ? "" : "&") += name;
        return *this;
    }
    Sentence& number(std::int64_t value) {
        for (const auto& name : speech_.number(value)) sound(name);
        return *this;
    }
    std::string text() && { return std::move(text_); }

private:
    const Speech& speech_;
    std::string text_;
};

}  // namespace

std::string queue_announcement(const config::Queue& queue, unsigned position, Duration wait,
                               const Speech& speech) {
    using Position = config::Queue::AnnouncePosition;
    Sentence sentence(speech);
    const auto limit = queue.announce_position_limit;
    const bool tells = queue.announce_position == Position::yes ||
                       queue.announce_position == Position::more ||
                       (queue.announce_position == Position::limit && position <= limit);
    bool said = false;
    if (tells) {
        said = true;
        if (position == 1)
            sentence.sound(queue.youarenext);
        else if (queue.announce_position == Position::more && position > limit)
            sentence.sound(queue.quantity1).number(limit).sound(queue.quantity2);
        else
            sentence.sound(queue.thereare).number(position).sound(queue.callswaiting);
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait).count();
    // Half a minute more, so that 1:30 is two minutes; with rounding the seconds are said as well.
    const auto round = static_cast<std::int64_t>(queue.announce_round_seconds);
    const auto minutes = round > 0 ? seconds / 60 : (seconds + 30) / 60;
    const auto rest = round > 0 ? seconds % 60 / round * round : 0;
    if (minutes > 0 || rest > 0) {
        said = true;
        sentence.sound(queue.holdtime);
        if (minutes > 0)
            sentence.number(minutes).sound(minutes == 1 ? queue.minute : queue.minutes);
        if (rest > 0) sentence.number(rest).sound(queue.seconds);
    }
    if (said) sentence.sound(queue.thankyou);
    return std::move(sentence).text();
}

std::string hold_report(const config::Queue& queue, Duration hold, const Speech& speech) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(hold).count();
    Sentence sentence(speech);
    sentence.sound(queue.reporthold);
    if (seconds >= 60)
        sentence.number(seconds / 60).sound(seconds / 60 == 1 ? queue.minute : queue.minutes);
    if (seconds % 60 > 0 || seconds < 60) sentence.number(seconds % 60).sound(queue.seconds);
    return std::move(sentence).text();
}

}  // namespace strowger::pbx
