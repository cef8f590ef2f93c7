#pragma once

#include <string_view>

namespace strowger::broker {

/// Of an origin or an authority, without its port: the same host may have several pages.
std::string_view host_of(std::string_view authority);

/// Whether it is a name or address of the machine that asks.
bool is_own_machine(std::string_view host);

}  // namespace strowger::broker
