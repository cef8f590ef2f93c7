#pragma once

#include <string>

#include "base/result.hpp"

namespace strowger::broker {

class Storage;

/// Stores what another program's Bolt database holds of files and aliases, and what is not stored
/// yet. A file is a value, or the content of a message File in one, whose SHA-256 its key is (as
/// `sha256:` and digits, as digits or as 32 bytes), or a program or archive by name. An alias is a
/// key whose value is such a digest of a file. The rest is counted in the log, and what does not
/// fit is named there. The database is only read; that it is not there is no error, but that
/// somebody writes it is.
Result<> import_bolt(const std::string& path, Storage& storage);

}  // namespace strowger::broker
