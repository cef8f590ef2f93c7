#pragma once

#include <optional>
#include <string>

#include "base/time.hpp"
#include "media/talk_detector.hpp"
#include "pbx/config/settings.hpp"

namespace strowger::pbx {

/// Who has answered, a person or a machine (AMD): a person says a word or two and then waits, a
/// machine talks on, or begins late.
///
/// The owner feeds frame after frame until there is a verdict.
class AnsweringMachine {
public:
    struct Verdict {
        std::string status;  ///< AMDSTATUS: MACHINE, HUMAN, NOTSURE
        std::string cause;   ///< AMDCAUSE: "MAXWORDS-3-3"
    };

    explicit AnsweringMachine(config::Amd settings) : settings_(settings) {}

    std::optional<Verdict> frame(const media::TalkDetector::State& state);

private:
    std::optional<Verdict> talking(Duration lasted);
    std::optional<Verdict> silent(Duration lasted);

    config::Amd settings_;
    Duration total_{}, voice_{};  ///< of everything; of the greeting, its short pauses included
    unsigned words_ = 0;
    bool in_word_ = false, greeting_ = false;
};

}  // namespace strowger::pbx
