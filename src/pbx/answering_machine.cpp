#include "pbx/answering_machine.hpp"

#include <fmt/format.h>

namespace strowger::pbx {

namespace {

constexpr Duration frame_time = std::chrono::milliseconds{20};

std::int64_t ms(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

std::optional<AnsweringMachine::Verdict> AnsweringMachine::frame(
    const media::TalkDetector::State& state) {
    total_ += frame_time;
    if (ms(total_) >= settings_.total_analysis_time)
        return Verdict{"NOTSURE", fmt::format("TOOLONG-{}", ms(total_))};
    return state.talking ? talking(state.lasted) : silent(state.lasted);
}

std::optional<AnsweringMachine::Verdict> AnsweringMachine::talking(Duration lasted) {
    voice_ += frame_time;
    if (ms(lasted) >= settings_.min_word_length && !in_word_) {
        in_word_ = true;
        greeting_ = true;
        ++words_;
    }
    if (ms(lasted) >= settings_.maximum_word_length)
        return Verdict{"MACHINE", fmt::format("MAXWORDLENGTH-{}", ms(lasted))};
    if (words_ > settings_.maximum_number_of_words)
        return Verdict{"MACHINE",
                       fmt::format("MAXWORDS-{}-{}", words_, settings_.maximum_number_of_words)};
    if (greeting_ && ms(voice_) >= settings_.greeting)
        return Verdict{"MACHINE",
                       fmt::format("LONGGREETING-{}-{}", ms(voice_), settings_.greeting)};
    return std::nullopt;
}

std::optional<AnsweringMachine::Verdict> AnsweringMachine::silent(Duration lasted) {
    // A short pause belongs to the word.
    if (ms(lasted) >= settings_.between_words_silence) in_word_ = false;
    if (!greeting_) {
        // A click is no greeting.
        if (ms(lasted) >= settings_.between_words_silence) voice_ = {};
        if (ms(total_) >= settings_.initial_silence && ms(lasted) >= settings_.initial_silence)
            return Verdict{"MACHINE", fmt::format("INITIALSILENCE-{}-{}", ms(lasted),
                                                  settings_.initial_silence)};
        return std::nullopt;
    }
    if (ms(lasted) >= settings_.after_greeting_silence)
        return Verdict{"HUMAN",
                       fmt::format("HUMAN-{}-{}", ms(lasted), settings_.after_greeting_silence)};
    return std::nullopt;
}

}  // namespace strowger::pbx
