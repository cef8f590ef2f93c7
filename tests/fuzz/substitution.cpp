// The first line sets variables, the rest is substituted: every built-in function is within reach.

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "pbx/dialplan/applications.hpp"
#include "pbx/dialplan/fixture.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace strowger;
    static dialplan::Functions functions = [] {
        dialplan::Functions made;
        dialplan::add_builtin_functions(made);
        return made;
    }();
    static dialplan::Applications applications;
    ini::Diagnostics diagnostics;
    static const auto plan =
        dialplan::testing::plan_of("[c]\nexten => 1,1,A()\nexten => 2,hint,PJSIP/a\n", diagnostics);
    dialplan::Globals globals;
    dialplan::MemoryStore store;
    Random random{1};
    dialplan::Environment environment{functions,
                                      applications,
                                      globals,
                                      store,
                                      random,
                                      [] { return plan; },
                                      [] { return WallTime{std::chrono::seconds(1'700'000'000)}; },
                                      {}};
    dialplan::testing::TestCall call(environment);
    call.set_position({"c", "1", 1});
    const auto [settings, text] = split_once(as_text({data, size}), '\n');
    for (const auto part : split(settings, ';')) {
        const auto [name, value] = split_once(part, '=');
        (void)call.assign(name, value);
    }
    (void)dialplan::substitute(call, text);
    return 0;
}
