#pragma once

#include "pbx/dialplan/applications.hpp"
#include "pbx/dialplan/call.hpp"
#include "pbx/dialplan/functions.hpp"
#include "pbx/dialplan/store.hpp"
#include "pbx/dialplan/substitution.hpp"

namespace strowger::dialplan {

/// Nobody's call: what substitutes `[globals]` and extension names while a dialplan is being read,
/// before there is any channel. It has an environment of its own, so that reading a file that is
/// then refused has changed nothing.
class LoadingCall final {
public:
    LoadingCall();
    ~LoadingCall();
    void set_global(std::string_view name, std::string_view value);
    std::string substitute(std::string_view text);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace strowger::dialplan
