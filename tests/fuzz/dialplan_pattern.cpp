// The first line is dialled on the dialplan that the rest makes, and what answers is run.

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "pbx/dialplan/fixture.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger;
    const auto [digits, text] = split_once(as_text({data, size}), '\n');
    ini::Diagnostics diagnostics;
    const auto plan = dialplan::testing::plan_of("[c]\n" + std::string(text), diagnostics);
    const dialplan::Query query{digits, WallTime{std::chrono::seconds(1'700'000'000)}};
    (void)plan->find("c", digits, 1, query);
    (void)plan->find_label("c", digits, "l", query);
    (void)plan->find_hint("c", digits, query);
    (void)plan->can_match("c", digits, query);
    (void)plan->ignores("c", digits);
    // The order of choice must be one: a comparison that contradicts itself would corrupt the sort.
    for (const auto& context : plan->contexts())
        for (const auto& a : context->extensions())
            for (const auto& b : context->extensions())
                if ((a.pattern < b.pattern) && (b.pattern < a.pattern)) __builtin_trap();
    return 0;
}
