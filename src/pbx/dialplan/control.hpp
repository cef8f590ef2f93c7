#pragma once

#include <string_view>

#include "pbx/dialplan/applications.hpp"

namespace strowger::dialplan {

/// Gosub's push: "[[ctx,]ext,]prio[(args)]" becomes a frame that returns to `return_to`, and the
/// call's position. False, and reported, when it cannot be.
bool push_subroutine(Call& call, std::string_view target, const Position& return_to);

void add_branch_applications(Applications& applications);    ///< Goto, GotoIf, While, If, ...
void add_routine_applications(Applications& applications);   ///< Gosub, Return, Exec, ...
void add_variable_applications(Applications& applications);  ///< Set, NoOp, Verbose, ...

}  // namespace strowger::dialplan
