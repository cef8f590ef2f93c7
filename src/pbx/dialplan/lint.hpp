#pragma once

#include "base/ini.hpp"
#include "pbx/dialplan/applications.hpp"
#include "pbx/dialplan/dialplan.hpp"
#include "pbx/dialplan/functions.hpp"

namespace strowger::dialplan {

/// What a dialplan names and nobody has, each a warning with its line and the nearest right word:
/// applications, functions, and the places where Goto, Gosub and their like lead.
///
/// Looks at what is written out. A computed label (`st-${DIALSTATUS}`) is known only when a call
/// comes there. A place without its context is looked for wherever the call may be then: in the
/// context where it is written and in those that include it, with all that these include.
void lint(const Dialplan& plan, const Applications& applications, const Functions& functions,
          ini::Diagnostics& diagnostics);

}  // namespace strowger::dialplan
