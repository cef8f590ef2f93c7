#include "pbx/dialplan/loading.hpp"

#include <memory>

#include "pbx/dialplan/machine.hpp"

namespace strowger::dialplan {

namespace {

class NobodysCall final : public Call {
public:
    using Call::Call;
    bool hung_up() const override { return false; }
    Task<> yield() override { co_return; }
    void report(log::Level, std::string_view) override {}
};

const Functions& builtin_functions() {
    static const Functions functions = [] {
        Functions made;
        add_builtin_functions(made);
        return made;
    }();
    return functions;
}

}  // namespace

struct LoadingCall::State {
    Applications applications;
    Globals globals;
    MemoryStore store;
    Random random = Random::system();
    std::shared_ptr<const Dialplan> none = std::make_shared<Dialplan>();
    Environment environment{
        builtin_functions(),
        applications,
        globals,
        store,
        random,
        [this] { return none; },
        [] { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); },
        {}};
    NobodysCall call{environment};
};

LoadingCall::LoadingCall() : state_(std::make_unique<State>()) {}
LoadingCall::~LoadingCall() = default;

void LoadingCall::set_global(std::string_view name, std::string_view value) {
    state_->globals.set(name, substitute(value));
}

void load_globals(const Dialplan& dialplan, Environment& environment) {
    NobodysCall call(environment);
    for (const auto& [name, value] : dialplan.globals())
        environment.globals.set(name, substitute(call, value));
}

std::string LoadingCall::substitute(std::string_view text) {
    return dialplan::substitute(state_->call, text);
}

}  // namespace strowger::dialplan
