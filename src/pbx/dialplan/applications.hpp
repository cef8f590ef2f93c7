#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/task.hpp"
#include "pbx/dialplan/call.hpp"

namespace strowger::dialplan {

/// What an application says when it returns.
enum class AppResult {
    proceed,  ///< next priority, or where it jumped to
    hangup    ///< the dialplan ends here (Asterisk's -1)
};

/// One that may wait. The arguments live as long as the task.
using Application = std::function<Task<AppResult>(Call&, std::string_view args)>;
/// One that never waits; it costs no coroutine.
using QuickApplication = std::function<AppResult(Call&, std::string_view args)>;

/// The dialplan applications by name, any case.
class Applications {
public:
    struct Entry {
        std::string name;
        std::string synopsis;
        std::variant<QuickApplication, Application> run;
    };

    void add(std::string name, std::string synopsis, Application application);
    void add_quick(std::string name, std::string synopsis, QuickApplication application);
    /// Those of these names are not found from now on; others that were switched off are again.
    void switch_off(const std::vector<std::string_view>& names);
    const Entry* find(std::string_view name) const;
    std::vector<std::string_view> names() const;  ///< sorted

private:
    std::unordered_map<std::string, Entry, TextHash, std::equal_to<>> by_lower_name_;
    std::vector<std::string> off_;  ///< in lower case
};

/// Adds the control applications: Set, MSet, NoOp, Verbose, Log, Goto, GotoIf, GotoIfTime, Gosub,
/// GosubIf, Return, StackPop, While, EndWhile, ExitWhile, ContinueWhile, If, ElseIf, Else, EndIf,
/// ExitIf, ExecIf, ExecIfTime, Exec, TryExec, ClearHash, RaiseException.
void add_builtin_applications(Applications& applications);

}  // namespace strowger::dialplan
