#pragma once

#include <string>
#include <string_view>

#include "base/task.hpp"
#include "pbx/dialplan/applications.hpp"
#include "pbx/dialplan/call.hpp"

namespace strowger::dialplan {

/// How a run of the dialplan ended.
enum class End {
    hung_up,     ///< the far end went, or an application said so
    ran_out,     ///< no further priority: hang up with the current cause
    busy,        ///< ran out with DIALSTATUS BUSY: signal busy
    congestion,  ///< ran out with DIALSTATUS CONGESTION
    invalid,     ///< a place that does not exist and no `i` to take it: hang up
    runaway      ///< far too many priorities in a short time: hang up
};

/// Runs a call's dialplan, priority by priority.
///
/// An owner sets the position, awaits `run`, acts on how it ended, and then (hung up or about to
/// be) awaits `run_hangup`, which runs the `h` extension of the context that the call is in, with
/// Gosub frames, ARGn and LOCALs as they were.
class Machine {
public:
    static Task<End> run(Call& call);
    static Task<> run_hangup(Call& call);

    /// One application by name, its arguments substituted already. An unknown one is reported and
    /// answers `hangup`, as in Asterisk.
    static Task<AppResult> execute(Call& call, std::string name, std::string arguments);

    /// A subroutine to its Return, then back to where the call was: for Dial's U and b options,
    /// AGI, hangup handlers. `target` is as for Gosub: "[[ctx,]ext,]prio[(args)]". False: it could
    /// not be started, or the call ended in it.
    static Task<bool> run_subroutine(Call& call, std::string target);

    // For applications that collect digits (Background, WaitExten, Read).

    /// To the extension dialled, or as `invalid`.
    static AppResult dialled(Call& call, std::string_view context, std::string_view digits);
    /// Something that does not exist was dialled: to `i` with INVALID_EXTEN, else `e`, else hangup.
    static AppResult invalid(Call& call, std::string_view context, std::string_view digits);
    /// Nobody dialled: to `t`, else `e`, else hangup.
    static AppResult timed_out(Call& call, std::string_view context);

    /// "[[ctx,]ext,]prio|label" seen from where the call stands. An Error when a label is missing.
    static Result<Position> resolve(Call& call, std::string_view destination);

private:
    static Task<End> loop(Call& call, std::size_t least_frames, bool after_hangup);
    static Task<AppResult> dispatch(Call& call, const Applications::Entry& application,
                                    std::string_view arguments);
    static bool take_interrupt(Call& call);
    static bool go_to_special(Call& call, std::string_view exten);
    static bool is_runaway(Call& call);
    static Task<End> out_of_priorities(Call& call, const Dialplan& plan);
};

/// Evaluates `[globals]` in file order into `globals`, each seeing those before it.
void load_globals(const Dialplan& dialplan, Environment& environment);

inline constexpr unsigned steps_per_turn = 1000;  ///< then others get the loop
/// More priorities than this within `runaway_window` is a loop that never waits.
inline constexpr std::uint64_t runaway_steps = 500'000;
inline constexpr Duration runaway_window = std::chrono::seconds{60};

}  // namespace strowger::dialplan
