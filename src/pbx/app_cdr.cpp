#include "pbx/app_cdr.hpp"

#include <algorithm>

#include "pbx/option_letters.hpp"

namespace strowger::pbx {

namespace {

using dialplan::AppResult;
using dialplan::Call;

constexpr std::string_view place = "ResetCDR";

std::optional<Time> reset_at(const Channel& channel) {
    const auto found = channel.attached.find(place);
    if (found == channel.attached.end()) return std::nullopt;
    return *static_cast<const Time*>(found->second.get());
}

// ResetCDR([v]): the record begins anew, with `v` not without what the dialplan has put into it.
AppResult reset(Call& call, std::string_view args) {
    auto& channel = static_cast<Channel&>(call);
    channel.attached[std::string(place)] = std::make_shared<Time>(channel.core().now());
    if (OptionLetters(args).has('v')) return AppResult::proceed;
    for (const auto& [name, value] : call.variables().all())
        if (name.starts_with("CDR.")) call.variables().erase(name);
    return AppResult::proceed;
}

}  // namespace

Time record_start(const Channel& channel) { return reset_at(channel).value_or(channel.created()); }

std::optional<Time> record_answer(const Channel& channel) {
    const auto answered = channel.answered_at();
    if (!answered) return std::nullopt;
    return std::max(*answered, record_start(channel));
}

void add_cdr_applications(dialplan::Applications& applications) {
    applications.add_quick("ResetCDR", "Begin the call's record anew: ResetCDR([v])", reset);
}

}  // namespace strowger::pbx
