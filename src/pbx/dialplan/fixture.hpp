#pragma once

// For tests only: a call on a dialplan written in the test, with a clock that stands still.

#include <string>
#include <vector>

#include "pbx/dialplan/dialplan.hpp"
#include "pbx/dialplan/functions.hpp"
#include "pbx/dialplan/machine.hpp"
#include "pbx/dialplan/store.hpp"
#include "pbx/dialplan/substitution.hpp"

namespace strowger::dialplan::testing {

inline std::shared_ptr<const Dialplan> plan_of(std::string text, ini::Diagnostics& diagnostics,
                                               const std::vector<ExtraHint>& hints = {}) {
    ini::MemoryFiles files;
    files.put("extensions.conf", std::move(text));
    return load(ini::read(files, "extensions.conf", {}, diagnostics), hints, diagnostics);
}

class TestCall : public Call {
public:
    using Call::Call;
    bool hung_up() const override { return gone; }
    Task<> yield() override {
        ++turns;
        co_return;
    }
    std::string_view caller_number() const override { return caller; }
    std::optional<std::string> builtin(std::string_view name) const override {
        if (name == "UNIQUEID") return "1700000000.1";
        return std::nullopt;
    }
    std::string_view time_zone() const override { return "UTC"; }
    void report(log::Level, std::string_view text) override { reports.emplace_back(text); }
    void stepping(const Step& step, std::string_view arguments) override {
        if (trace.size() < 1000)
            trace.push_back(fmt::format("{}({})", step.application, arguments));
    }

    bool gone = false;
    int turns = 0;
    std::string caller = "200";
    std::vector<std::string> reports;
    std::vector<std::string> trace;
};

/// An exchange with one call. `said` is what the application Say was given.
struct Exchange {
    Functions functions;
    Applications applications;
    Globals globals;
    MemoryStore store;
    Random random{1};
    WallTime now{std::chrono::seconds(1'700'000'000)};  // Tue 2023-11-14 22:13:20 UTC
    ini::Diagnostics diagnostics;
    std::shared_ptr<const Dialplan> plan;
    Environment environment{functions,
                            applications,
                            globals,
                            store,
                            random,
                            [this] { return plan; },
                            [this] { return now; },
                            [](std::string_view name) { return "env:" + std::string(name); }};
    TestCall call{environment};
    std::vector<std::string> said;

    explicit Exchange(std::string text = "") : plan(plan_of(std::move(text), diagnostics)) {
        add_builtin_functions(functions);
        add_builtin_applications(applications);
        applications.add_quick("Say", "", [this](Call&, std::string_view args) {
            said.emplace_back(args);
            return AppResult::proceed;
        });
        applications.add("Hangup", "", [this](Call&, std::string_view) -> Task<AppResult> {
            call.gone = true;
            co_return AppResult::hangup;
        });
        load_globals(*plan, environment);
    }

    std::string eval(std::string_view text) { return substitute(call, text); }

    End run(std::string context = "c", std::string exten = "s") {
        call.set_position({std::move(context), std::move(exten), 1});
        End end{};
        auto task = [](Call& of, End& result) -> Task<> { result = co_await Machine::run(of); }(
                                                  call, end);
        task.start();
        return end;
    }
    void run_hangup() {
        call.gone = true;
        auto task = Machine::run_hangup(call);
        task.start();
    }
};

}  // namespace strowger::dialplan::testing
