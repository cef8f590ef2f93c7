#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "pbx/dialplan/dialplan.hpp"
#include "pbx/dialplan/position.hpp"
#include "pbx/dialplan/variables.hpp"

namespace strowger::dialplan {

class Applications;
class Functions;
class Store;

/// What the calls of one thread have in common. Outlives them.
struct Environment {
    const Functions& functions;
    const Applications& applications;
    Globals& globals;
    Store& store;
    Random& random;
    std::function<std::shared_ptr<const Dialplan>()> dialplan;  ///< the current one; never null
    std::function<WallTime()> clock;
    std::function<std::string(std::string_view)> environment;  ///< ENV(): the process's variables
    bool live_dangerously = false;  ///< asterisk.conf: programs outside may use every function
};

/// A call as the dialplan sees it: the PBX's Channel derives from this and adds what it knows of
/// signalling and media. Applications cast back to it.
///
/// The position is the channel's own: applications move it with `jump`, and the machine goes on
/// there when the application has returned.
class Call {
public:
    explicit Call(Environment& environment) : environment_(environment) {}
    virtual ~Call() = default;
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    // What the channel has to answer.

    /// The far end is gone (or asked to be): the dialplan ends after the running application.
    virtual bool hung_up() const = 0;
    /// Lets the loop serve others before the dialplan goes on: after `steps_per_turn` priorities
    /// without one that waited. The position of a fair machine, not an application's business.
    virtual Task<> yield() = 0;
    /// The caller's number, for caller patterns.
    virtual std::string_view caller_number() const { return {}; }
    /// A built-in variable (CHANNEL, UNIQUEID, HANGUPCAUSE, ...), or nothing. EXTEN, CONTEXT,
    /// PRIORITY, EPOCH, HINT and HINTNAME are answered here already.
    virtual std::optional<std::string> builtin(std::string_view) const { return std::nullopt; }
    /// The zone of GotoIfTime and STRFTIME when they name none; "" is the machine's.
    virtual std::string_view time_zone() const { return {}; }
    /// A line for the log and the call's trace.
    virtual void report(log::Level level, std::string_view text);
    /// A priority is about to be run, arguments substituted: for traces and events.
    virtual void stepping(const Step& step, std::string_view arguments) {
        (void)step, (void)arguments;
    }

    // What the dialplan keeps.

    Environment& environment() const { return environment_; }
    std::shared_ptr<const Dialplan> dialplan() const { return environment_.dialplan(); }
    Variables& variables() { return variables_; }
    const Variables& variables() const { return variables_; }
    const Position& position() const { return position_; }
    WallTime now() const { return environment_.clock(); }
    Query query() const { return {caller_number(), now()}; }

    /// Sets the position from outside of a running application (a new call, a transfer).
    void set_position(Position position) {
        position_ = std::move(position);
        jumped_ = true;
    }
    /// Go on there instead of at the next priority. Whether the place exists is found out there.
    void jump(Position position) { set_position(std::move(position)); }
    bool jumped() const { return jumped_; }

    /// `${name}` without substring: built-ins, then LOCAL and channel variables, then globals.
    std::optional<std::string> variable(std::string_view name) const;
    /// Set's left-hand side: `x`, `_x`, `__x` or `FUNC(args)`.
    Result<> assign(std::string_view target, std::string_view value);

    /// Something that outranks the next priority; the running application should be made to return,
    /// and what it returns does not matter then. `T` after TIMEOUT(absolute), `e` after
    /// RaiseException, another place after a transfer or AMI's Redirect.
    enum class Interrupt { none, absolute_timeout, exception, redirect };
    void time_out() { interrupt_ = Interrupt::absolute_timeout; }
    void raise(std::string reason);
    void redirect(Position position);
    Interrupt interrupted() const { return interrupt_; }

private:
    friend class Machine;

    Environment& environment_;
    Variables variables_;
    Position position_;
    bool jumped_ = true;  ///< the first step is where the owner put the call
    Position redirected_;
    Interrupt interrupt_ = Interrupt::none;
    std::string exception_reason_;  ///< why the call came to `e`
    Position exception_at_;
    unsigned steps_since_turn_ = 0;
    std::uint64_t steps_in_window_ = 0;
    WallTime window_start_{};
    bool from_outside_ = false;
    unsigned nesting_ = 0;  ///< of applications run by applications, functions by functions

public:
    /// EXCEPTION(reason|context|exten|priority).
    const std::string& exception_reason() const { return exception_reason_; }
    const Position& exception_position() const { return exception_at_; }
    class FromOutside;
    bool from_outside() const { return from_outside_; }
    /// Held while something runs inside something else; false when that goes too deep.
    class Nested {
    public:
        explicit Nested(Call& call) : call_(call) { ++call_.nesting_; }
        ~Nested() { --call_.nesting_; }
        Nested(const Nested&) = delete;
        Nested& operator=(const Nested&) = delete;
        explicit operator bool() const;

    private:
        Call& call_;
    };
};

/// Held while a program outside (AMI, AGI, ARI) has a text evaluated on a call: dangerous functions
/// are refused to it.
class Call::FromOutside {
public:
    explicit FromOutside(Call& call) : call_(call), before_(call.from_outside_) {
        call.from_outside_ = true;
    }
    ~FromOutside() { call_.from_outside_ = before_; }
    FromOutside(const FromOutside&) = delete;
    FromOutside& operator=(const FromOutside&) = delete;

private:
    Call& call_;
    bool before_;
};

inline constexpr unsigned max_nesting = 64;  ///< EVAL of EVAL, Exec of Exec; the stack is finite

}  // namespace strowger::dialplan
