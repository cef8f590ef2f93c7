#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "base/task.hpp"
#include "pbx/dialplan/call.hpp"

namespace strowger::dialplan {

/// `${FUNC(args)}`: the arguments come substituted, not split.
using ReadFunction = std::function<Result<std::string>(Call&, std::string_view args)>;
/// The same for a function that has to wait for somebody else: a web server, a name server, a lock.
using WaitingFunction = std::function<Task<Result<std::string>>(Call&, std::string args)>;
/// `Set(FUNC(args)=value)`.
using WriteFunction = std::function<Result<>(Call&, std::string_view args, std::string_view value)>;

/// The dialplan functions by name (upper case, case-sensitive as in Asterisk).
class Functions {
public:
    struct Function {
        ReadFunction read;    ///< empty: cannot be read, or not at once
        WriteFunction write;  ///< empty: cannot be set
        std::string synopsis;
        WaitingFunction wait = {};  ///< empty: reading never waits
        bool dangerous = false;     ///< reading it is refused to Call::FromOutside
    };

    void add(std::string name, std::string synopsis, ReadFunction read, WriteFunction write = {});
    /// One that waits. `read` is for those who cannot wait (within another function's argument, or
    /// programs that ask from outside); empty: they get an Error.
    void add_waiting(std::string name, std::string synopsis, WaitingFunction wait,
                     ReadFunction read = {});
    /// Marks functions through which a program could reach beyond the exchange.
    void mark_dangerous(std::string_view name);
    const Function* find(std::string_view name) const;
    std::vector<std::string_view> names() const;  ///< sorted

    /// "NAME(args)", substituted already.
    Result<std::string> read(Call& call, std::string_view expression) const;
    Result<> write(Call& call, std::string_view expression, std::string_view value) const;
    /// As `read`, for callers that can wait.
    Task<Result<std::string>> await(Call& call, std::string expression) const;
    /// Whether a text, before its substitution, names a function that waits. Costs a look at each
    /// parenthesis, so that texts without one are substituted at once.
    bool may_wait(std::string_view text) const;

private:
    Result<const Function*> for_reading(Call& call, std::string_view name) const;

    std::unordered_map<std::string, Function, TextHash, std::equal_to<>> functions_;
    std::vector<std::string> waiting_;  ///< names of those that wait
};

/// Adds every function that needs nothing but the call's dialplan side (spec 4.1 and 4.4).
void add_builtin_functions(Functions& functions);

}  // namespace strowger::dialplan
