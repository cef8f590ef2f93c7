#pragma once

#include <cstddef>

namespace strowger::io {

/// Lets this process open as many files as it may; returns how many that are.
std::size_t raise_open_files();

}  // namespace strowger::io
