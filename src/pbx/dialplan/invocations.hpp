#pragma once

#include <functional>
#include <string_view>

#include "pbx/dialplan/dialplan.hpp"

namespace strowger::dialplan {

/// An application as the dialplan writes it, before substitution, and the step it stands in.
struct Invoked {
    const Context& context;
    const Extension& extension;
    const Step& step;
    std::string_view application;
    std::string_view arguments;
};

/// Shows every application of a dialplan, in the order of its contexts; those that ExecIf, Exec and
/// their like run come after the step that runs them. What TryExec runs may be missing on purpose
/// and is not shown, nor is a name that is computed.
void for_each_invocation(const Dialplan& plan, const std::function<void(const Invoked&)>& show);

/// Whether a text is known only when the call runs: it holds a `${` or a `$[`.
bool is_computed(std::string_view text);

/// "condition?a:b" of GotoIf, GosubIf and ExecIf as written; a side that is missing is empty.
struct Branches {
    std::string_view yes, no;
};
Branches branches_of(std::string_view arguments);

}  // namespace strowger::dialplan
