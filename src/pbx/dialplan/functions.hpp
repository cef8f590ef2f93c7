#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "pbx/dialplan/call.hpp"

namespace strowger::dialplan {

/// `${FUNC(args)}`: the arguments come substituted, not split.
using ReadFunction = std::function<Result<std::string>(Call&, std::string_view args)>;
/// `Set(FUNC(args)=value)`.
using WriteFunction = std::function<Result<>(Call&, std::string_view args, std::string_view value)>;

/// The dialplan functions by name (upper case, case-sensitive as in Asterisk).
class Functions {
public:
    struct Function {
        ReadFunction read;    ///< empty: cannot be read
        WriteFunction write;  ///< empty: cannot be set
        std::string synopsis;
    };

    void add(std::string name, std::string synopsis, ReadFunction read, WriteFunction write = {});
    const Function* find(std::string_view name) const;
    std::vector<std::string_view> names() const;  ///< sorted

    /// "NAME(args)", substituted already.
    Result<std::string> read(Call& call, std::string_view expression) const;
    Result<> write(Call& call, std::string_view expression, std::string_view value) const;

private:
    std::unordered_map<std::string, Function, TextHash, std::equal_to<>> functions_;
};

/// Adds every function that needs nothing but the call's dialplan side (spec 4.1 and 4.4).
void add_builtin_functions(Functions& functions);

}  // namespace strowger::dialplan
