#include "pbx/config/follow_me.hpp"

#include <algorithm>

#include "pbx/config/option.hpp"
#include "pbx/config/sections.hpp"

namespace strowger::pbx::config {

namespace {

// number => 0123&0456[,seconds[,order]]
Result<> take_number(FollowMe& who, std::string_view value) {
    const auto [numbers, rest] = split_once(value, ',');
    const auto [seconds, order] = split_once(rest, ',');
    FollowMe::Step step;
    for (const auto number : split(numbers, '&'))
        if (!trim(number).empty() && step.numbers.size() < FollowMe::max_numbers)
            step.numbers.emplace_back(trim(number));
    if (step.numbers.empty()) return fail("expected a number, got '{}'", value);
    if (who.steps.size() >= FollowMe::max_steps)
        return fail("there are at most {} steps", FollowMe::max_steps);
    if (!trim(seconds).empty()) {
        const auto timeout = parse_number<unsigned>(trim(seconds));
        if (!timeout || *timeout == 0 || *timeout > 3600)
            return fail("expected seconds to 3600, got '{}'", seconds);
        step.timeout = *timeout;
    }
    step.order =
        parse_number<unsigned>(trim(order)).value_or(static_cast<unsigned>(who.steps.size() + 1));
    who.steps.push_back(std::move(step));
    return {};
}

const Schema<FollowMe>& schema() {
    using F = FollowMe;
    static const auto schema =
        Schema<F>()
            .text("musicclass", &F::musicclass)
            .text("musiconhold", &F::musicclass)
            .text("music", &F::musicclass)
            .text("context", &F::context)
            .text("takecall", &F::takecall)
            .text("declinecall", &F::declinecall)
            .text("call_from_prompt", &F::call_from_prompt)
            .text("call-from-prompt", &F::call_from_prompt)
            .text("norecording_prompt", &F::norecording_prompt)
            .text("followme-norecording-prompt", &F::norecording_prompt)
            .text("options_prompt", &F::options_prompt)
            .text("followme-options-prompt", &F::options_prompt)
            .text("pls_hold_prompt", &F::pls_hold_prompt)
            .text("followme-pls-hold-prompt", &F::pls_hold_prompt)
            .text("status_prompt", &F::status_prompt)
            .text("followme-status-prompt", &F::status_prompt)
            .text("sorry_prompt", &F::sorry_prompt)
            .text("followme-sorry-prompt", &F::sorry_prompt)
            .text("connected_prompt", &F::connected_prompt)
            .boolean("enable_callee_prompt", &F::enable_callee_prompt)
            .number("featuredigittimeout", &F::featuredigittimeout, 1u, 3'600'000u)
            .on("number", take_number);
    return schema;
}

}  // namespace

void read_follow_me(const ini::Document& document, Configuration& configuration) {
    FollowMe common;
    if (const auto* general = document.find("general"))
        schema().apply(common, document, *general, configuration.diagnostics);
    for (const auto* section : document.sections()) {
        if (iequals(section->name, "general")) continue;
        FollowMe who = common;
        who.name = section->name;
        schema().apply(who, document, *section, configuration.diagnostics);
        std::stable_sort(who.steps.begin(), who.steps.end(),
                         [](const auto& a, const auto& b) { return a.order < b.order; });
        configuration.follow_me.add(std::move(who));
    }
}

}  // namespace strowger::pbx::config
